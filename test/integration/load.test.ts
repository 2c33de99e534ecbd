// dnsperf for a few seconds: everything sent is answered, over UDP and TCP, from the cache and from the upstream.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startNsd } from '../lib/authoritative.js';
import { run } from '../lib/child.js';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { tempFolder } from '../lib/temp-folder.js';
import { needTools, toolPath } from '../lib/tools.js';
import { ZONE, zoneText } from '../lib/zone.js';

const SECONDS = 2;
const QUERIES_PER_SECOND = 3_000;

const hits = ['www.example.org A', 'www.example.org AAAA', 'example.org MX', 'alias.example.org A'];
const misses = Array.from(
  { length: SECONDS * QUERIES_PER_SECOND },
  (_, i) => `n${i}.wild.example.org A`,
);

test('load: nothing is lost', needTools('nsd', 'dnsperf'), async (t) => {
  const nsd = await startNsd(ZONE, zoneText);
  t.after(() => nsd.stop());
  const port = await freePort();
  const heimdall = await startHeimdall(`.:${port} {
    bind 127.0.0.1
    errors
    cache
    dedupe
    forward . ${nsd.address}
}
`);
  t.after(() => heimdall.stop());
  const folder = tempFolder();
  t.after(() => folder.remove());

  for (const [name, questions] of Object.entries({ hits, misses })) {
    for (const mode of ['udp', 'tcp']) {
      await t.test(`load: ${name} over ${mode}`, async () => {
        const file = folder.write(name, `${questions.join('\n')}\n`);
        const { code, stdout, stderr } = await run([
          toolPath('dnsperf'),
          ...['-s', '127.0.0.1', '-p', String(port), '-d', file, '-m', mode],
          ...['-l', String(SECONDS), '-Q', String(QUERIES_PER_SECOND), '-c', '8', '-t', '2'],
        ]);
        assert.equal(code, 0, stderr);
        assert.match(stdout, /Queries lost:\s+0 /, stdout);
        assert.match(stdout, /Response codes:\s+NOERROR \d+ \(100\.00%\)/, stdout);
      });
    }
  }
});

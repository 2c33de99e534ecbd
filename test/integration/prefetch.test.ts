// *prefetch* in a whole server: names are refreshed before they end, over a restart, and the operator sees which.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { FakeUpstream } from '../../core/testing.js';
import { ask } from '../lib/client.js';
import { runHeimdall, startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { tempFolder } from '../lib/temp-folder.js';

/** The shortest time that the cache keeps anything for by default. */
const TTL = 5;

/** Some twenty times are needed for it to be learnt; a machine may be slow. */
const LIMIT_MS = 120_000;

test('prefetch: a popular name is refreshed with nobody asking, before and after a restart', async (t) => {
  const upstream = await FakeUpstream.start((query) => {
    const name = query.questions?.[0]?.name ?? '';
    return { answers: [{ name, type: 'A', ttl: TTL, data: '192.0.2.1' }] };
  });
  t.after(() => upstream.stop());
  const folder = tempFolder();
  t.after(() => folder.remove());
  const [port, control] = [await freePort(), join(folder.path, 'control')];
  const corefile = `.:${port} {
    bind 127.0.0.1
    errors
    prefetch 0 {
        timer 20%
        persist ${join(folder.path, 'popular')} 0
    }
    forward . ${upstream.address}
}
`;
  const start = async () => {
    const server = await startHeimdall(corefile, { args: ['-workers', '2', '-control', control] });
    t.after(() => server.stop().catch(() => {}));
    return server;
  };
  const first = await start();
  // Clients ask until it is known to be popular, and no longer.
  await until('it is popular', async () => {
    await ask(port, 'www.example.org', 'A');
    const args = ['prefetch', 'list', '-json', '-control', control];
    const { stdout } = await runHeimdall(args, folder.path);
    const row = /^.*"www\.example\.org\.".*$/m.exec(stdout)?.[0];
    if (row === undefined) return false;
    const { popularity, refresh } = JSON.parse(row) as { popularity: number; refresh: unknown };
    return popularity >= 20 && refresh !== null;
  });
  const learnt = upstream.queries.length;
  await until('it is refreshed', () => upstream.queries.length > learnt);
  assert.equal(await first.stop(), 0);

  const before = upstream.queries.length;
  const second = await start();
  await second.waitFor(/^\[INFO\] plugin\/cache: 1 popular names of \d+ s ago from /m);
  await until('it is fetched', () => upstream.queries.length > before);
  const last = upstream.queries.at(-1);
  assert.equal(`${last?.name} ${last?.type}`, 'www.example.org A');
  assert.equal(await second.stop(), 0);
});

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const limitMs = performance.now() + LIMIT_MS;
  while (!(await isSo())) {
    if (performance.now() > limitMs) throw new Error(`not within ${LIMIT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

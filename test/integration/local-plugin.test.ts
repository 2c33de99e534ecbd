// Plugins of third parties: a file beside the Corefile, in TypeScript or JavaScript, or an installed package.
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { ask } from '../lib/client.js';
import { runHeimdall, startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { root } from '../lib/repository.js';
import { tempFolder } from '../lib/temp-folder.js';

const javascript = `
import { definePlugin, directive, oneOf, Rcode, text } from 'heimdall';

export default definePlugin({
  name: 'reject',
  before: 'whoami',
  syntax: directive({
    args: { prefix: text() },
    block: { rcode: oneOf('NXDOMAIN', 'REFUSED').or('NXDOMAIN') },
  }),
  setup(config, { log, metrics }) {
    const rejected = metrics.counter('rejected_total', 'Queries rejected.');
    return {
      onStart() {
        log.info('rejects names that start with ' + config.prefix);
      },
      serve(q, next) {
        if (!q.qname.startsWith(config.prefix)) return next(q);
        rejected.inc();
        return q.replyRcode(Rcode[config.rcode]);
      },
      async onStop() {
        log.info('stopped');
      },
    };
  },
});
`;

const typescript = javascript
  .replace('serve(q, next)', 'serve(q: Query, next: Next): Answer')
  .replace('import {', "import type { Answer, Next, Query } from 'heimdall';\nimport {");

const forms = [
  { name: 'a JavaScript file', named: './reject.mjs', file: 'reject.mjs', text: javascript },
  { name: 'a TypeScript file', named: './reject.ts', file: 'reject.ts', text: typescript },
];

for (const { name, named, file, text } of forms) {
  test(`local plugin: ${name} answers, counts, logs and stops`, async (t) => {
    const [port, http] = [await freePort(), await freePort()];
    const heimdall = await startHeimdall(
      `plugin ${named}

.:${port} {
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:${http}
    reject bad. {
        rcode REFUSED
    }
    whoami
}
`,
      { files: { [file]: text }, args: ['-workers', '2'] },
    );
    t.after(() => heimdall.stop());
    assert.equal((await ask(port, 'good.example.org', 'A')).rcode, 'NOERROR');
    assert.equal((await ask(port, 'bad.example.org', 'A')).rcode, 'REFUSED');
    assert.equal((await ask(port, 'bad.example.org', 'A', { tcp: true })).rcode, 'REFUSED');
    assert.match(
      heimdall.stdout,
      /^\[INFO\] plugin\/reject: rejects names that start with bad\.$/m,
    );
    const metrics = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
    assert.match(metrics, /^coredns_reject_rejected_total 2$/m);
    assert.equal(await heimdall.stop(), 0);
    assert.match(heimdall.stdout, /^\[INFO\] plugin\/reject: stopped$/m);
  });
}

test('local plugin: an installed package is found by its name', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  mkdirSync(join(folder.path, 'node_modules/heimdall-reject'), { recursive: true });
  folder.write(
    'node_modules/heimdall-reject/package.json',
    '{ "name": "heimdall-reject", "version": "1.0.0", "type": "module", "exports": "./reject.js" }',
  );
  folder.write('node_modules/heimdall-reject/reject.js', javascript);
  folder.write('Corefile', 'plugin heimdall-reject\n.:1053 {\n    reject bad.\n    whoami\n}\n');
  const { code, stdout, stderr } = await runHeimdall(['plan', 'Corefile'], folder.path);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /reject.*\n(.*\n)*.*whoami/);
});

test('local plugin: one that finds this server installed is imported by Node, and has the same classes', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  mkdirSync(join(folder.path, 'node_modules'));
  symlinkSync(root, join(folder.path, 'node_modules/heimdall'));
  const file = folder.write(
    'same.mjs',
    `import { definePlugin, directive, Query, Rcode } from 'heimdall';

export default definePlugin({
  name: 'same',
  before: 'whoami',
  syntax: directive({}),
  setup(_config, { log }) {
    return {
      onStart() {
        log.info('imported by ' + (typeof require === 'undefined' ? 'Node' : 'a loader'));
      },
      serve(q, next) {
        return q instanceof Query ? q.replyRcode(Rcode.REFUSED) : next(q);
      },
    };
  },
});
`,
  );
  const port = await freePort();
  const heimdall = await startHeimdall(
    `plugin ${file}\n.:${port} {\n    bind 127.0.0.1\n    same\n    whoami\n}\n`,
  );
  t.after(() => heimdall.stop());
  await heimdall.waitFor(/^\[INFO\] plugin\/same: imported by Node$/m);
  assert.equal((await ask(port, 'example.org', 'A')).rcode, 'REFUSED');
});

test('local plugin: its syntax errors are reported like those of any other', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  folder.write('reject.mjs', javascript);
  folder.write(
    'Corefile',
    'plugin ./reject.mjs\nplugin ./missing.mjs\n.:1053 {\n    reject bad. {\n        rcod REFUSED\n    }\n}\n',
  );
  const { code, stderr } = await runHeimdall(['check', 'Corefile'], folder.path);
  assert.equal(code, 2);
  assert.match(stderr, /^Corefile:2: plugin: "\.\/missing\.mjs" .*no such file/m);
  assert.match(stderr, /^Corefile:5: reject: unknown property "rcod", did you mean "rcode"\?$/m);
});

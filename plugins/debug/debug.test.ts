import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ask } from '../../test/lib/client.js';
import { type Heimdall, startHeimdall } from '../../test/lib/heimdall.js';
import { freePort } from '../../test/lib/ports.js';

const FAULTY = `
import { definePlugin, directive } from 'heimdall';

export default definePlugin({
  name: 'faulty',
  before: 'whoami',
  syntax: directive({}),
  setup(_config, { log }) {
    return {
      serve(q, next) {
        log.debug('asked for ' + q.qname);
        return q.qname === 'bad.example.' ? broken(q) : next(q);
      },
    };
  },
});

function broken(q) {
  throw new Error('cannot take ' + q.qname);
}
`;

/** A server with a plugin that throws, and these lines in its block. */
async function start(t: TestContext, lines: string): Promise<{ heimdall: Heimdall; port: number }> {
  const port = await freePort();
  const heimdall = await startHeimdall(
    `plugin ./faulty.mjs\n.:${port} {\n    bind 127.0.0.1\n${lines}\n    faulty\n    whoami\n}\n`,
    { files: { 'faulty.mjs': FAULTY }, args: ['-workers', '1'] },
  );
  t.after(() => heimdall.stop());
  return { heimdall, port };
}

const cases = [
  {
    name: 'without it there are neither debug lines nor stacks',
    lines: '',
    lineCount: 0,
    stacks: false,
  },
  { name: 'debug brings debug lines and stacks', lines: '    debug', lineCount: 2, stacks: true },
  {
    name: 'stacktrace of errors brings stacks alone',
    lines: '    errors {\n        stacktrace\n    }',
    lineCount: 0,
    stacks: true,
  },
];
for (const c of cases) {
  test(`debug: ${c.name}, and the server goes on`, async (t) => {
    const { heimdall, port } = await start(t, c.lines);
    assert.equal((await ask(port, 'bad.example', 'A')).rcode, 'SERVFAIL');
    assert.equal((await ask(port, 'good.example', 'A')).rcode, 'NOERROR');
    await heimdall.stop();
    const { stdout } = heimdall;
    const debugLines = stdout.match(/^\[DEBUG\] plugin\/faulty: asked for .*$/gm) ?? [];
    assert.equal(debugLines.length, c.lineCount);
    assert.match(stdout, /fault in plugin faulty: Error: cannot take bad\.example\./);
    assert.equal(/^ {4}at broken \(/m.test(stdout), c.stacks);
  });
}

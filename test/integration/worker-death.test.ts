// A worker that dies takes with it nothing but the query that killed it.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test from 'node:test';
import { ask, queryBytes } from '../lib/client.js';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';

/** A replacement takes less than a second; a machine that does much else at the same time takes longer. */
const RECOVERY_MS = 10_000;

const CLIENTS = 40;

/** A worker hangs when it has not answered for ten seconds. */
const HANG_MS = 60_000;

/** Clients meanwhile: the hanging worker has some with a chance of 1 - 2^-10, one query of each is enough. */
const ASKING = 10;
const ASKING_MS = 100;

/** Ends its worker thread as a bug in a plugin would: from a callback that no query and no promise belongs to. */
const crash = `
import { definePlugin, directive } from 'heimdall';

export default definePlugin({
  name: 'crash',
  before: 'whoami',
  syntax: directive({}),
  setup: () => ({
    serve(q, next) {
      if (q.qname === 'throw.example.org.') setImmediate(() => { throw new Error('deliberate'); });
      if (q.qname === 'exit.example.org.') process.exit(3);
      if (q.qname === 'hang.example.org.') for (;;);
      return next(q);
    },
  }),
});
`;

for (const workers of [1, 2]) {
  for (const death of ['throw', 'exit']) {
    test(`worker death: with ${workers}, after ${death}, every later query is answered`, async (t) => {
      const port = await freePort();
      const heimdall = await startHeimdall(
        `plugin ./crash.mjs\n.:${port} {\n    bind 127.0.0.1\n    errors\n    crash\n    whoami\n}\n`,
        { files: { 'crash.mjs': crash }, args: ['-workers', String(workers)] },
      );
      t.after(() => heimdall.stop());
      assert.equal((await ask(port, 'before.example.org', 'A')).rcode, 'NOERROR');

      for (let round = 0; round < 2; round++) {
        await send(port, queryBytes(`${death}.example.org`, 'A'));
        // What it had read but not answered is gone with it; from here on its sockets wait for the next one.
        await heimdall.waitFor(new RegExp(`(worker \\d ended[^]*){${round + 1}}`));
        const startedMs = performance.now();
        const asked = Array.from({ length: CLIENTS }, (_, i) =>
          ask(port, `after${i}.example.org`, 'A', { tcp: i % 4 === 3 }),
        );
        const replies = await Promise.all(asked);
        assert.ok(replies.every((reply) => reply.rcode === 'NOERROR'));
        assert.ok(performance.now() - startedMs < RECOVERY_MS);
        assert.ok(heimdall.isRunning);
      }
      assert.match(heimdall.stdout, /worker \d ended: .*; it is replaced now/);
    });
  }
}

test('worker death: one that hangs while clients go on asking is replaced, and the process lives', async (t) => {
  const port = await freePort();
  const heimdall = await startHeimdall(
    `plugin ./crash.mjs\n.:${port} {\n    bind 127.0.0.1\n    errors\n    crash\n    whoami\n}\n`,
    { files: { 'crash.mjs': crash }, args: ['-workers', '2'] },
  );
  t.after(() => heimdall.stop());
  await send(port, queryBytes('hang.example.org', 'A'));
  const sockets = Array.from({ length: ASKING }, () => createSocket('udp4'));
  const asking = setInterval(() => {
    for (const socket of sockets) socket.send(queryBytes('a.example.org', 'A'), port, '127.0.0.1');
  }, ASKING_MS);
  t.after(() => {
    clearInterval(asking);
    for (const socket of sockets) socket.close();
  });
  await heimdall.waitFor(/worker \d ended: it does not respond; it is replaced now/, HANG_MS);
  await heimdall.waitFor(/worker \d serves again/, HANG_MS);
  clearInterval(asking);
  const replies = await Promise.all(
    Array.from({ length: CLIENTS }, (_, i) => ask(port, `after${i}.example.org`, 'A')),
  );
  assert.ok(replies.every((reply) => reply.rcode === 'NOERROR'));
  assert.ok(heimdall.isRunning);
});

async function send(port: number, message: Uint8Array): Promise<void> {
  const socket = createSocket('udp4');
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  await new Promise<void>((resolve) => socket.send(message, () => resolve()));
  socket.close();
}

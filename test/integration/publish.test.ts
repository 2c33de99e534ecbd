// A control part that publishes while the server runs: every worker answers with the newest value, and so does one that is replaced.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { ask, queryBytes } from '../lib/client.js';
import { runHeimdall, startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';

/** Answers with the rcode that was published last; `heimdall rcode N` publishes one and returns when all workers have it. */
const plugin = `
import { COMMANDS, definePlugin, directive } from 'heimdall';

export default definePlugin({
  name: 'rcode',
  before: 'whoami',
  syntax: directive({}),
  setup(_config, { published }) {
    let rcode = published;
    return {
      serve(q) {
        if (q.qname === 'exit.example.org.') process.exit(3);
        return q.replyRcode(rcode);
      },
      onPublished(value) {
        if (value === 99) throw new Error('deliberate');
        rcode = value;
      },
    };
  },
  control: (_config, services) => {
    services.get(COMMANDS).add('rcode', 'N', async function* ([n]) {
      await services.publish(Number(n));
      yield { published: Number(n) };
    });
    return { published: 0, onLoad: () => services.publish(1) };
  },
});
`;

const WORKERS = 2;

/** Enough that with two sockets the kernel leaves none out. */
const CLIENTS = 40;

async function rcodes(port: number): Promise<string[]> {
  const replies = await Promise.all(
    Array.from({ length: CLIENTS }, (_, i) => ask(port, `n${i}.example.org`, 'A')),
  );
  return [...new Set(replies.map((reply) => reply.rcode))];
}

test('publish: all workers take what is published, and those that follow them start with it', async (t) => {
  const port = await freePort();
  const heimdall = await startHeimdall(
    `plugin ./rcode.mjs\n.:${port} {\n    bind 127.0.0.1\n    rcode\n    whoami\n}\n`,
    { files: { 'rcode.mjs': plugin }, args: ['-workers', String(WORKERS)] },
  );
  t.after(() => heimdall.stop());
  const publish = async (n: number): Promise<void> => {
    // Other servers may run on this machine.
    const socket = join(heimdall.folder, `control-${port}.sock`);
    const args = ['rcode', String(n), '-control', socket];
    const { code, stderr } = await runHeimdall(args, heimdall.folder);
    assert.equal(code, 0, stderr);
  };
  assert.deepEqual(await rcodes(port), ['FORMERR']);
  await publish(3);
  assert.deepEqual(await rcodes(port), ['NXDOMAIN']);

  const socket = createSocket('udp4');
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.send(queryBytes('exit.example.org', 'A'));
  await heimdall.waitFor(/worker \d serves again/);
  socket.close();
  assert.deepEqual(await rcodes(port), ['NXDOMAIN']);

  // What a handler fails to take is said once by each worker, which goes on.
  await publish(99);
  await heimdall.waitFor(new RegExp(`(fault in plugin rcode: deliberate[^]*){${WORKERS}}`));
  assert.deepEqual(await rcodes(port), ['NXDOMAIN']);
  await publish(5);
  assert.deepEqual(await rcodes(port), ['REFUSED']);
});

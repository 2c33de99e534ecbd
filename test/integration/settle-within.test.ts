// A plugin that settles queries it held while it serves another one, or is shown a reply: each client gets its own reply, whole.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ask, type Got } from '../lib/client.js';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';

/** Holds queries for `hold*` until one for `go.*` comes. `held.*` is answered with the number of those that wait as its rcode. */
const plugin = `
import { definePlugin, directive, oneOf, Rcode } from 'heimdall';

export default definePlugin({
  name: 'hold',
  before: 'whoami',
  syntax: directive({ args: { moment: oneOf('before', 'between', 'behind', 'observe') } }),
  setup({ moment }) {
    const held = [];
    const release = () => {
      for (const q of held.splice(0)) q.settle(q.replyRcode(Rcode.NXDOMAIN));
    };
    return {
      serve(q, next) {
        if (q.qname.startsWith('held')) return q.replyRcode(held.length);
        if (q.qname.startsWith('hold')) {
          held.push(q);
          return q.defer();
        }
        if (moment === 'before') release();
        if (moment === 'behind') {
          const answer = next(q);
          release();
          return answer;
        }
        const reply = q.replyRcode(Rcode.REFUSED);
        if (moment === 'between') release();
        return reply;
      },
      observe(q) {
        if (moment === 'observe' && q.qname.startsWith('go')) release();
      },
    };
  },
});
`;

const MOMENTS = [
  { moment: 'before', name: 'before it makes its own reply', rcode: 'REFUSED' },
  { moment: 'between', name: 'when it has made its own reply', rcode: 'REFUSED' },
  { moment: 'behind', name: 'when the rest of the chain has answered', rcode: 'NOERROR' },
  { moment: 'observe', name: 'when it is shown a reply', rcode: 'REFUSED' },
] as const;

const LIMIT = { timeout: 60_000 };

for (const { moment, name, rcode } of MOMENTS) {
  for (const io of ['', 'dgram']) {
    test(`settle: others, ${name}${io === '' ? '' : `, on ${io}`}`, LIMIT, async (t) => {
      const port = await freePort();
      const heimdall = await startHeimdall(
        `plugin ./hold.mjs\n\n.:${port} {\n    bind 127.0.0.1\n    hold ${moment}\n    whoami\n}\n`,
        { files: { 'hold.mjs': plugin }, env: { HEIMDALL_IO: io }, args: ['-workers', '1'] },
      );
      t.after(() => heimdall.stop());
      for (const isLastOverTcp of [false, true]) {
        const waiting = [false, false, true].map((tcp, i) =>
          ask(port, `hold${i}.example.org`, 'A', { tcp, id: 100 + i, udpSize: 1232 }),
        );
        while ((await ask(port, 'held.example.org', 'A')).rcode !== 'NXDOMAIN');
        const last = await ask(port, 'go.example.org', 'A', { tcp: isLastOverTcp, id: 200 });
        assert.deepEqual(seen(last), [200, 'go.example.org', rcode]);
        for (const [i, got] of (await Promise.all(waiting)).entries()) {
          assert.deepEqual(seen(got), [100 + i, `hold${i}.example.org`, 'NXDOMAIN']);
        }
      }
    });
  }
}

/** What a client compares, of a message that could be read to its end. */
function seen({ message, rcode }: Got): readonly unknown[] {
  return [message.id, message.questions?.[0]?.name, rcode];
}

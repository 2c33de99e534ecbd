// What making a reply the client's own costs, by where the reply comes from.
import { encode, type Packet } from 'dns-packet';
import { finish } from '../../core/chain/finish.js';
import type { Query } from '../../core/chain/query.js';
import type { Reply } from '../../core/chain/reply.js';
import { makeQuery } from '../../core/testing/query.js';
import { measure } from './rounds.js';

const CALLS = 1_000_000;

const q = makeQuery('WWW.example.org.', 'A', { do: true });
q.wire = shared(q.wire, q.wire.length);
q.out = shared(new Uint8Array(0), 4096);
const plain = makeQuery('www.example.org.', 'A');
plain.out = q.out;

const hit = message(1, false);
const upstream = message(1, true);
const long = message(60, true);
q.out.set(hit);

run('hit, written into the send slot already', q, (c) => c.replyWire(c.out, hit.length, 0));
run('hit, question in another case', q, (c) => {
  c.out[13] = 0x77;
  return c.replyWire(c.out, hit.length, 0);
});
run('hit, client without OPT', plain, (c) => c.replyWire(c.out, hit.length, 0));
run('borrowed, no OPT (copy)', q, (c) => c.replyWire(hit, hit.length, 0));
run('borrowed, OPT not looked for', q, (c) => c.replyWire(upstream, upstream.length));
run('borrowed, 60 records, truncated', q, (c) => c.replyWire(long, long.length));
run('rcode only', q, (c) => c.replyRcode(3));
run('rcode with extended error', q, (c) => c.replyRcode(3, 15, 'blocked'));

function run(name: string, client: Query, make: (client: Query) => Reply): void {
  measure(`finish: ${name}`, CALLS, (calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) sum += finish(client, make(client), 1232);
    return sum;
  });
}

function message(answers: number, hasOpt: boolean): Uint8Array {
  const opt = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 1232,
    extendedRcode: 0,
    ednsVersion: 0,
  } as const;
  const packet: Packet = {
    type: 'response',
    questions: [{ type: 'A', name: 'www.example.org' }],
    answers: Array.from({ length: answers }, (_, i) => ({
      type: 'A',
      name: 'www.example.org',
      ttl: 300,
      data: `192.0.2.${i}`,
    })),
    additionals: hasOpt ? [{ ...opt, flags: 0, flag_do: false, options: [] }] : [],
  };
  const bytes = encode(packet);
  return shared(bytes, bytes.length);
}

/** As the server has them: views of shared memory. */
function shared(from: Uint8Array, size: number): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(size));
  bytes.set(from);
  return bytes;
}

// A cache whose one entry has ended, and an upstream that takes its time.
import type { Packet } from 'dns-packet';
import type { Query } from '../../core/plugin.js';
import { replyFrom } from '../../core/testing.js';
import { a, CacheBench, FAILURE, NXDOMAIN, soa } from './cache-bench.js';

export const DENIAL: Packet = { flags: NXDOMAIN, authorities: [soa('example.org', 60, 60)] };
export const EDNS = { udpSize: 1232 };

/** A cache with an answer of 192.0.2.1 for example.org that ended two seconds ago. */
export async function staleBench(
  text: string,
  prime: Packet = answer('192.0.2.1'),
): Promise<CacheBench> {
  const b = new CacheBench(`cache {\n ${text}\n}`);
  b.says = () => prime;
  await b.ask();
  b.advance(62);
  b.asked = 0;
  return b;
}

export function answer(address: string): Packet {
  return { answers: [a('example.org', 60, address)] };
}

/** Has the upstream wait; `settle` answers the oldest query there. */
export function slow(b: CacheBench): { settle(packet: Packet): void; fail(): void } {
  const waiting: Query[] = [];
  b.says = (q) => {
    waiting.push(q);
    return q.defer();
  };
  const first = (): Query => waiting.shift() as Query;
  return {
    settle(packet) {
      const q = first();
      q.settle(replyFrom(q, packet));
    },
    fail() {
      const q = first();
      q.settle(q.replyError(FAILURE));
    },
  };
}

// The benchmark of upstreams over connections: misses that an upstream answers over TCP, TLS and HTTPS, beside the servers that can do that.
// Server on one core, load and upstream on another, rounds interleaved so that all meet the same machine. See bench/README.md.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { type ArenaOptions, type Contestant, inArena, LOAD_CPU } from '../lib/arena.js';
import { runLoad } from '../lib/load-process.js';
import type { Peer } from '../lib/peers.js';
import { HTTPS_PEERS, PLAIN_PEERS, TLS_PEERS } from '../lib/stream-peers.js';
import { LOAD_LIMITED, printRounds, type Round, timed } from '../lib/timed-rounds.js';

const FIRST_PORT = 15_890;

interface Carrier {
  readonly name: string;
  readonly peers: readonly Peer[];
  readonly authority: ArenaOptions['authority'];
  readonly isSecure: boolean;
}

const CARRIERS: readonly Carrier[] = [
  { name: 'tcp', peers: PLAIN_PEERS, authority: 'stream-authority.js', isSecure: false },
  { name: 'tls', peers: TLS_PEERS, authority: 'stream-authority.js', isSecure: true },
  { name: 'https', peers: HTTPS_PEERS, authority: 'https-authority.js', isSecure: true },
];

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    window: { type: 'string', default: '32' },
    only: { type: 'string', default: '' },
    carriers: { type: 'string', default: 'tcp,tls,https' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
/** Misses that each of 8 sockets keeps outstanding. */
const window = Number(values.window);
const only = values.only === '' ? undefined : values.only.split(',');
const wanted = values.carriers.split(',');

console.log(
  `${cpus()[0]?.model}, Node ${process.version}, ${rounds} rounds of ${seconds} s, medians\n`,
);
for (const { name, peers, authority, isSecure } of CARRIERS) {
  if (!wanted.includes(name)) continue;
  await inArena(
    { peers, only, authority, isSecure, firstPort: FIRST_PORT },
    async (contestants) => {
      const lines = contestants.map((c) => ({ c, name: c.peer.name, rounds: [] as Round[] }));
      // The first round warms up.
      for (let round = 0; round <= rounds; round++) {
        for (const line of lines) {
          const result = await misses(line.c, round + 1);
          if (round > 0) line.rounds.push(result);
        }
      }
      printRounds(`misses over ${name}`, lines);
    },
  );
}
console.log(LOAD_LIMITED);

function misses(c: Contestant, seed: number): Promise<Round> {
  return timed(c, () =>
    runLoad({ port: c.port, cpu: LOAD_CPU, seconds, kind: 'unique', seed, window }),
  );
}

// The benchmark over TCP: hits for 50 pipelining clients, and misses that an upstream answers over pooled TCP, beside Unbound.
// Server on one core, load and upstream on another, rounds interleaved so that all meet the same machine. See bench/README.md.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { type Contestant, inArena, LOAD_CPU } from '../lib/arena.js';
import { runLoad } from '../lib/load-process.js';
import { TCP_PEERS } from '../lib/peers.js';
import { runTcpLoad } from '../lib/tcp-loader.js';
import { LOAD_LIMITED, printRounds, type Round, timed } from '../lib/timed-rounds.js';

const FIRST_PORT = 15_690;
/** Names asked for hits: few enough to be cached by every server. */
const NAMES = 10_000;
/** Misses outstanding at once: 8 sockets with 64 each. */
const MISS_WINDOW = 64;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    window: { type: 'string', default: '32' },
    only: { type: 'string', default: '' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
/** Queries that each TCP client keeps outstanding. */
const window = Number(values.window);
const only = values.only === '' ? undefined : values.only.split(',');

interface Result extends Contestant {
  readonly hits: Round[];
  readonly misses: Round[];
}

await inArena(
  { peers: TCP_PEERS, only, authority: 'stream-authority.js', firstPort: FIRST_PORT },
  async (contestants) => {
    const results = contestants.map((c): Result => ({ ...c, hits: [], misses: [] }));
    await measure(results);
    report(results);
  },
);

/** Hits in all rounds before the first misses: those would push the names out of some caches. */
async function measure(results: readonly Result[]): Promise<void> {
  for (const c of results) {
    // Over UDP first: a cold cache under pipelining clients makes some servers close connections.
    await runLoad({ port: c.port, cpu: LOAD_CPU, seconds: 3, names: NAMES });
    await hits(c, 2);
  }
  for (let round = 0; round < rounds; round++) {
    for (const c of results) c.hits.push(await hits(c, seconds));
  }
  for (let round = 0; round <= rounds; round++) {
    for (const c of results) {
      const result = await misses(c, round + 1);
      // The first round warms up.
      if (round > 0) c.misses.push(result);
    }
  }
}

function hits(c: Contestant, duration: number): Promise<Round> {
  return timed(c, () =>
    runTcpLoad({ port: c.port, cpu: LOAD_CPU, seconds: duration, names: NAMES, window }),
  );
}

function misses(c: Contestant, seed: number): Promise<Round> {
  return timed(c, () =>
    runLoad({
      port: c.port,
      cpu: LOAD_CPU,
      seconds,
      kind: 'unique',
      seed,
      window: MISS_WINDOW,
    }),
  );
}

function report(results: readonly Result[]): void {
  console.log(
    `\n${cpus()[0]?.model}, Node ${process.version}, ${rounds} rounds of ${seconds} s, medians\n`,
  );
  const lines = (roundsOf: (c: Result) => readonly Round[]) =>
    results.map((c) => ({ name: c.peer.name, rounds: roundsOf(c) }));
  printRounds(
    `hits for 50 TCP clients, ${window} pipelined`,
    lines((c) => c.hits),
  );
  printRounds(
    'misses over TCP to the upstream',
    lines((c) => c.misses),
  );
  console.log(LOAD_LIMITED);
}

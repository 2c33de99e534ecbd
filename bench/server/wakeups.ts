// Four ways to learn that datagrams are there, at 1,000 queries/s, at half and at full load: what an answer costs and how long it takes. Rounds are
// interleaved. Run: node dist/bench/server/wakeups.js [--rounds 5] [--seconds 2].
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { type Contestant, inArena, LOAD_CPU } from '../lib/arena.js';
import { runLoad } from '../lib/load-process.js';
import type { LoadResult } from '../lib/loader.js';
import type { Peer } from '../lib/peers.js';
import { spreadOf } from '../lib/stats.js';

const KINDS = ['handle', 'poll', 'blocking', 'dgram'] as const;
const script = new URL('../lib/wakeup-echo.js', import.meta.url).pathname;

const LOADS = [
  { name: 'one at a time', load: { sockets: 1, window: 1 } },
  { name: '1,000/s', load: { rate: 1000 } },
  { name: '100,000/s', load: { rate: 100_000 } },
  { name: 'full', load: {} },
] as const;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
  },
});
const seconds = Number(values.seconds);

interface Round {
  readonly load: LoadResult;
  readonly cpuUs: number;
}

const peers = KINDS.map(
  (name): Peer => ({
    name,
    isEcho: true,
    command: (_folder, port) => [process.execPath, script, name, String(port)],
  }),
);

await inArena(
  { peers, only: undefined, authority: 'authority.js', firstPort: 18_290 },
  async (contestants) => {
    const results = new Map<string, Round[]>();
    for (const c of contestants) await runLoad({ port: c.port, cpu: LOAD_CPU, seconds: 2 });
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const { name, load } of LOADS) {
        for (const c of contestants) {
          const key = `${name}/${c.peer.name}`;
          results.set(key, [...(results.get(key) ?? []), await measure(c, load)]);
        }
      }
    }
    report(results);
  },
);

async function measure(c: Contestant, load: object): Promise<Round> {
  const before = c.process.cpuSeconds;
  const result = await runLoad({ port: c.port, cpu: LOAD_CPU, seconds, ...load });
  const used = c.process.cpuSeconds - before;
  return { load: result, cpuUs: (used * 1e6) / Math.max(1, result.received) };
}

function report(results: ReadonlyMap<string, readonly Round[]>): void {
  console.log(
    `\n${cpus()[0]?.model}, Node ${process.version}, medians of ${values.rounds} rounds\n`,
  );
  console.log('| load | wake-up | answers/s | us CPU | p50 us | p99 us |');
  console.log('| --- | --- | ---: | ---: | ---: | ---: |');
  for (const { name } of LOADS) {
    for (const kind of KINDS) {
      const of = results.get(`${name}/${kind}`) ?? [];
      const median = (value: (round: Round) => number): number => spreadOf(of.map(value)).median;
      const cells = [
        median((r) => r.load.perSecond).toFixed(0),
        median((r) => r.cpuUs).toFixed(1),
        median((r) => r.load.p50).toFixed(0),
        median((r) => r.load.p99).toFixed(0),
      ];
      console.log(`| ${name} | ${kind} | ${cells.join(' | ')} |`);
    }
  }
}

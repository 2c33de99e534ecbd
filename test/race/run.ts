// Runs the race and prints what came of it: `node dist/test/race/run.js [--minutes 10] [--seed 1] [--loaders 2] [--lies 0]`. Exit code 1 for a mismatch, of which both sides are printed.
import { parseArgs } from 'node:util';
import { type RaceReport, race } from './race.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    loaders: { type: 'string', default: '2' },
    /** Part of the replies that are falsified: shows that the race notices. */
    lies: { type: 'string', default: '0' },
    restart: { type: 'string', default: '40000' },
    kill: { type: 'string', default: '12000' },
  },
});

const report = await race({
  seconds: Number(values.minutes) * 60,
  kinds: [],
  seed: Number(values.seed),
  loaders: Number(values.loaders),
  lies: Number(values.lies),
  restartMs: Number(values.restart),
  killMs: Number(values.kill),
  say: (text) => console.log(text),
});
print(report);
process.exit(report.load.mismatches > 0 || report.faults.length > 0 ? 1 : 0);

function print({ load, upstream, events, metrics, faults }: RaceReport): void {
  for (const problem of load.problems) console.log(`MISMATCH: ${problem}`);
  for (const fault of faults) console.log(`FAULT: ${fault}`);
  console.log(`\n| | |\n| --- | ---: |`);
  const rows: [string, number | string][] = [
    ['queries', load.sent],
    ['replies', load.received],
    ['of these over TCP', load.overTcp],
    ['lost', load.lost],
    ['late', load.unexpected],
    ...Object.entries(load.kinds).sort(([, a], [, b]) => b - a),
    ['right for a reason', load.doubts.length],
    ['upstream: queries', upstream.queries],
    ['upstream: of these over TCP', upstream.overTcp],
    ...Object.entries(events),
    ...Object.entries(metrics),
    ['mismatches', load.mismatches],
  ];
  for (const [name, value] of rows) console.log(`| ${name} | ${value} |`);
}

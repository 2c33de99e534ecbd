// What plugins in front of *cache* cost a hit: ten that each look at the query and pass it on, loaded from files of their own as third parties' are,
// beside the same server without them and the echo, rounds interleaved. Run: node dist/bench/server/chain.js [--rounds 7] [--seconds 2] [--plugins 10].
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { runLoad } from '../lib/load-process.js';
import { MeasuredProcess } from '../lib/process.js';
import { spreadOf } from '../lib/stats.js';

const SERVER_CPU = 0;
const LOAD_CPU = 1;
const UPSTREAM_PORT = 16_160;
const FIRST_PORT = 16_170;
const START_MS = 1500;
const WARM_UP_SECONDS = 2;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '2' },
    plugins: { type: 'string', default: '10' },
  },
});
const seconds = Number(values.seconds);

interface Contestant {
  readonly name: string;
  readonly port: number;
  readonly process: MeasuredProcess;
  readonly perSecond: number[];
  readonly cpuUs: number[];
}

const here = (path: string): string => new URL(path, import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'heimdall-chain-'));
const authority = [process.execPath, here('../lib/authority.js'), String(UPSTREAM_PORT)];
const upstream = new MeasuredProcess(authority, LOAD_CPU);
const contestants = [
  start('echo', FIRST_PORT, [process.execPath, here('../lib/echo.js'), String(FIRST_PORT)]),
  heimdall('plain', 0, FIRST_PORT + 10),
  heimdall(`${values.plugins} more plugins`, Number(values.plugins), FIRST_PORT + 20),
];
try {
  await pause(START_MS);
  for (const c of contestants) {
    if (!c.process.isRunning) throw new Error(`${c.name} did not start`);
    await runLoad({ port: c.port, cpu: LOAD_CPU, seconds: WARM_UP_SECONDS });
  }
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const c of contestants) await measure(c);
  }
  report();
} finally {
  await Promise.all([upstream.stop(), ...contestants.map((c) => c.process.stop())]);
  rmSync(folder, { recursive: true, force: true });
}

function start(name: string, port: number, command: readonly string[]): Contestant {
  const process = new MeasuredProcess(command, SERVER_CPU);
  return { name, port, process, perSecond: [], cpuUs: [] };
}

/** A server whose chain is `errors prometheus`, the plugins of its own folder, `cache forward`. */
function heimdall(name: string, plugins: number, port: number): Contestant {
  const own = join(folder, String(port));
  mkdirSync(own);
  const names = Array.from({ length: plugins }, (_, i) => `pass${i}`);
  for (const plugin of names) writeFileSync(join(own, `${plugin}.mjs`), passOn(plugin));
  const corefile = join(own, 'Corefile');
  writeFileSync(
    corefile,
    `${names.map((plugin) => `plugin ./${plugin}.mjs\n`).join('')}
.:${port} {
  bind 127.0.0.1
  errors
  prometheus 127.0.0.1:${port + 1}
${names.map((plugin) => `  ${plugin}\n`).join('')}  cache {
    success 100000
  }
  forward . 127.0.0.1:${UPSTREAM_PORT}
}
`,
  );
  const command = [process.execPath, here('../../bundle/core/main.js'), '-conf', corefile];
  return start(name, port, [...command, '-workers', '1', '-quiet']);
}

/** A plugin with the least that one does: it looks at the query and counts. */
function passOn(name: string): string {
  return `import { definePlugin, directive } from 'heimdall';

export default definePlugin({
  name: '${name}',
  before: 'cache',
  syntax: directive({}),
  setup() {
    let seen = 0;
    return {
      serve(q, next) {
        if (q.qtype === 1) seen = (seen + 1) | 0;
        return next(q);
      },
    };
  },
});
`;
}

async function measure(c: Contestant): Promise<void> {
  const before = c.process.cpuSeconds;
  const { perSecond, received, rcodes } = await runLoad({
    port: c.port,
    cpu: LOAD_CPU,
    seconds,
    // The load then costs less than the server, so that the server is what is measured.
    isGrouping: true,
  });
  if (rcodes[0] !== received) throw new Error(`${c.name}: answers with errors, ${rcodes}`);
  c.perSecond.push(perSecond);
  c.cpuUs.push(((c.process.cpuSeconds - before) * 1e6) / Math.max(1, received));
}

function report(): void {
  const [echo, plain] = contestants as [Contestant, Contestant];
  const rate = (c: Contestant): number => spreadOf(c.perSecond).median;
  const ratio = (c: Contestant, to: Contestant): string => {
    const ratios = c.perSecond.map((value, i) => value / (to.perSecond[i] ?? value));
    const { median, least, most } = spreadOf(ratios);
    return `${median.toFixed(3)} (${least.toFixed(2)} to ${most.toFixed(2)})`;
  };
  console.log(
    `\n${cpus()[0]?.model}, Node ${process.version}, ${values.rounds} rounds of ${seconds} s, medians; ratios round by round\n`,
  );
  console.log('| chain | hits/s | of echo | of plain | us CPU/hit |');
  console.log('| --- | ---: | ---: | ---: | ---: |');
  for (const c of contestants) {
    const cpuUs = spreadOf(c.cpuUs).median.toFixed(2);
    const cells = [c.name, Math.round(rate(c)), ratio(c, echo), ratio(c, plain), cpuUs];
    console.log(`| ${cells.join(' | ')} |`);
  }
}

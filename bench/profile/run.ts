// Where a worker's time and memory go while it serves: a processor and a heap profile of its thread, from the start of the server to its stop, as files for
// Chromium's developer tools and editors; and the functions that take most of either. See bench/README.md.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Contestant, inArena, LOAD_CPU } from '../lib/arena.js';
import { runLoad } from '../lib/load-process.js';
import type { Peer } from '../lib/peers.js';
import type { QuestionOptions } from '../lib/questions.js';
import { runTcpLoad } from '../lib/tcp-loader.js';
import {
  bytesByFunction,
  bytesIn,
  type CpuProfile,
  type HeapProfile,
  type Share,
  timeByFunction,
} from './report.js';

const FIRST_PORT = 16_200;
/** Functions that are named. */
const SHOWN = 10;
const KINDS: readonly QuestionOptions['kind'][] = ['zipf', 'unique', 'mixture'];

const { values } = parseArgs({
  options: {
    kind: { type: 'string', default: 'zipf' },
    clients: { type: 'string', default: 'udp' },
    upstream: { type: 'string', default: 'udp' },
    seconds: { type: 'string', default: '5' },
    to: { type: 'string', default: 'profile' },
  },
});
const to = resolve(values.to);
const kind = oneOf('--kind', values.kind, KINDS);
const clients = oneOf('--clients', values.clients, ['udp', 'tcp']);
const upstream = oneOf('--upstream', values.upstream, ['udp', 'tcp']);
const authority = upstream === 'tcp' ? 'stream-authority.js' : 'authority.js';

/** The chain of the other benchmarks, with the profiler in it. */
const profiled: Peer = {
  name: 'heimdall',
  command(folder, port, upstreamPort) {
    const here = (path: string): string => new URL(path, import.meta.url).pathname;
    const corefile = join(folder, 'Corefile');
    writeFileSync(
      corefile,
      `plugin ${here('../lib/worker-profiler.js')}
.:${port} {
  bind 127.0.0.1
  errors
  prometheus 127.0.0.1:${port + 1}
  profiler "${to}"
  cache {
    success 100000
  }
  forward . 127.0.0.1:${upstreamPort} {
    ${upstream === 'tcp' ? 'force_tcp' : 'prefer_udp'}
  }
}
`,
    );
    // Not the bundle, in which functions no longer lie in the modules that the report names.
    const server = here('../../core/main.js');
    return [process.execPath, server, '-conf', corefile, '-workers', '1', '-quiet'];
  },
};

mkdirSync(to, { recursive: true });
let answers = 0;
await inArena({ peers: [profiled], only: undefined, authority, firstPort: FIRST_PORT }, run);
// The profiler writes when the server stops.
const cpu = JSON.parse(readFileSync(join(to, 'worker.cpuprofile'), 'utf8')) as CpuProfile;
const heap = JSON.parse(readFileSync(join(to, 'worker.heapprofile'), 'utf8')) as HeapProfile;
print('time', timeByFunction(cpu));
print('bytes allocated', bytesByFunction(heap));
console.log(`\n${answers} answers, ${(bytesIn(heap) / answers).toFixed(1)} bytes allocated each`);
console.log(`${to}: worker.cpuprofile, worker.heapprofile`);

async function run(contestants: readonly Contestant[]): Promise<void> {
  for (const { port } of contestants) {
    const load = { port, cpu: LOAD_CPU, kind, seconds: Number(values.seconds) };
    answers += (await (clients === 'tcp' ? runTcpLoad(load) : runLoad(load))).received;
  }
}

function print(what: string, shares: readonly Share[]): void {
  console.log(`\n${what}`);
  for (const { where, share } of shares.slice(0, SHOWN)) {
    console.log(`${(share * 100).toFixed(1).padStart(6)} %  ${where}`);
  }
}

function oneOf<T extends string>(option: string, value: string, accepted: readonly T[]): T {
  const found = accepted.find((one) => one === value);
  if (found === undefined) throw new Error(`${option} ${value}: want ${accepted.join(', ')}`);
  return found;
}

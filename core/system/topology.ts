// Which processor each worker gets: pure functions over the text of sysfs, and the few files they are made from.
//
// A worker that stays on its processor keeps its cache lines, and with several memory nodes stays beside the shared records. The order is: the
// first node that has a processor for us before the next, in a node one hardware thread of every core before the second threads.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where sysfs is mounted. */
const SYSFS = '/sys';
const NODES = 'devices/system/node';
const CPUS = 'devices/system/cpu';

/** The own limit of a container: microseconds of processor time a period, cgroup v2 (`max 100000`) and v1 (`-1`). */
const QUOTA_FILES = ['fs/cgroup/cpu.max', 'fs/cgroup/cpu/cpu.cfs_quota_us'];

/** More processors than this do not fit into the mask that threads are bound with. */
const MAX_CPUS = 1024;

/** Lists as sysfs prints them, `0-3,8-11`. */
export interface Topology {
  /** Processors of each memory node, in the order of the nodes; empty where the kernel knows none. */
  readonly nodes: readonly string[];
  /** For a processor, all hardware threads of its core, itself included. */
  readonly siblings: ReadonlyMap<number, string>;
}

/** What may decide where workers run. */
export interface Machine {
  /** Numbers of the processors this process may use, ascending. */
  readonly allowed: readonly number[];
  readonly topology: Topology;
  /** Whether a container's quota gives the process less time than its processors have. */
  readonly hasQuota: boolean;
}

/**
 * The processor of each worker, or none at all where the scheduler does better:
 * - a single worker runs where there is room;
 * - of more workers than processors, those that share one would wait while another is idle;
 * - with a quota and processors to choose from, every container of the machine would choose the same ones, unseen by the others.
 */
export function placeWorkers(workers: number, machine: Machine): number[] {
  const { allowed, topology, hasQuota } = machine;
  if (workers < 2 || workers > allowed.length) return [];
  if (hasQuota && workers < allowed.length) return [];
  return orderCpus(allowed, topology).slice(0, workers);
}

/** `allowed` in the order in which workers should take them. */
export function orderCpus(allowed: readonly number[], topology: Topology): number[] {
  const nodes = topology.nodes.map((text) => new Set(parseCpuList(text)));
  const places = allowed.map((cpu) => {
    const node = nodes.findIndex((cpus) => cpus.has(cpu));
    const core = parseCpuList(topology.siblings.get(cpu) ?? '').filter((c) => allowed.includes(c));
    return {
      cpu,
      // What no node claims comes last.
      node: node === -1 ? nodes.length : node,
      thread: core.filter((sibling) => sibling < cpu).length,
    };
  });
  places.sort((a, b) => a.node - b.node || a.thread - b.thread || a.cpu - b.cpu);
  return places.map(({ cpu }) => cpu);
}

/** The numbers in a list such as `0-3,8`, ascending; what is not understood is left out. */
export function parseCpuList(text: string): number[] {
  const cpus = new Set<number>();
  for (const part of text.trim().split(',')) {
    const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part);
    if (match === null) continue;
    const first = Number(match[1]);
    const last = Math.min(Number(match[2] ?? first), MAX_CPUS - 1);
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

/** The shortest list of these numbers: `0-3,8`. */
export function cpuListText(cpus: readonly number[]): string {
  const runs: [first: number, last: number][] = [];
  for (const cpu of [...cpus].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] + 1 === cpu) run[1] = cpu;
    else runs.push([cpu, cpu]);
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}

/** Whether the text of `cpu.max` or `cpu.cfs_quota_us` sets a limit. */
export function isQuota(text: string): boolean {
  return /^[1-9]\d*\b/.test(text.trim());
}

/** This machine as sysfs tells; what cannot be read is left out. */
export function readMachine(allowed: readonly number[], sysfs = SYSFS): Machine {
  const read = (file: string): string => readText(join(sysfs, file));
  const siblings = new Map(
    allowed.map((cpu) => [cpu, read(`${CPUS}/cpu${cpu}/topology/thread_siblings_list`)]),
  );
  const nodes = nodeNumbers(join(sysfs, NODES)).map((node) => read(`${NODES}/node${node}/cpulist`));
  const hasQuota = QUOTA_FILES.some((file) => isQuota(read(file)));
  return { allowed, topology: { nodes, siblings }, hasQuota };
}

function nodeNumbers(folder: string): number[] {
  try {
    const names = readdirSync(folder).filter((name) => /^node\d+$/.test(name));
    return names.map((name) => Number(name.slice('node'.length))).sort((a, b) => a - b);
  } catch {
    return [];
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

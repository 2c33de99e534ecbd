// What a profile says in a few lines: the functions that take most of the processor's time, or that allocate most. The formats are those of the inspector's
// domains Profiler and HeapProfiler.

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  /** From 0. */
  readonly lineNumber: number;
}

export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  /** Node by sample, and the microseconds since the one before. */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface HeapNode {
  readonly callFrame: CallFrame;
  readonly selfSize: number;
  readonly children: readonly HeapNode[];
}

export interface HeapProfile {
  readonly head: HeapNode;
}

export interface Share {
  readonly where: string;
  readonly share: number;
}

/** What the thread did while it did nothing, in the words of V8. */
const IDLE = '(idle)';

/** Where the time went that the thread was not idle, the most first. */
export function timeByFunction({ nodes, samples, timeDeltas }: CpuProfile): Share[] {
  const frames = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const sums = new Map<string, number>();
  for (const [i, id] of samples.entries()) {
    const frame = frames.get(id);
    if (frame === undefined || frame.functionName === IDLE) continue;
    add(sums, frame, timeDeltas[i] ?? 0);
  }
  return sharesOf(sums);
}

/** Who allocated, the most first. */
export function bytesByFunction({ head }: HeapProfile): Share[] {
  const sums = new Map<string, number>();
  for (const node of allOf(head)) if (node.selfSize > 0) add(sums, node.callFrame, node.selfSize);
  return sharesOf(sums);
}

/** All bytes of a heap profile. */
export function bytesIn({ head }: HeapProfile): number {
  return allOf(head).reduce((sum, node) => sum + node.selfSize, 0);
}

function allOf(node: HeapNode): HeapNode[] {
  return [node, ...node.children.flatMap(allOf)];
}

function add(sums: Map<string, number>, frame: CallFrame, value: number): void {
  const where = placeOf(frame);
  sums.set(where, (sums.get(where) ?? 0) + value);
}

function sharesOf(sums: ReadonlyMap<string, number>): Share[] {
  const total = [...sums.values()].reduce((sum, value) => sum + value, 0);
  return [...sums]
    .map(([where, value]) => ({ where, share: value / total }))
    .sort((a, b) => b.share - a.share);
}

/** `name file:line`, the file from the root of the project. */
function placeOf({ functionName, url, lineNumber }: CallFrame): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  return url === '' ? name : `${name} ${url.replace(/^.*\/dist\//, '')}:${lineNumber + 1}`;
}

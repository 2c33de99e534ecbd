// Reads what `node --trace-gc` prints.

export interface Pause {
  /** `Scavenge`, `Mark-Compact` and the like. */
  readonly kind: string;
  /** For how long the thread stood still. */
  readonly ms: number;
}

export interface ThreadPauses {
  /** Address of the thread's heap, as V8 prints it. */
  readonly thread: string;
  readonly pauses: readonly Pause[];
}

/** `[PID:THREAD] TIME ms: KIND SIZE (SIZE) -> SIZE (SIZE) MB, PAUSE / ... ms`, with words in brackets after the kind. */
const LINE = /^\[\d+:(0x[0-9a-f]+)\]\s+\d+ ms: ([A-Z][\w-]*).* MB, ([\d.]+) \//gm;

/** The pauses of each thread that had any, in the order printed. */
export function pausesIn(text: string): readonly ThreadPauses[] {
  const threads = new Map<string, Pause[]>();
  for (const [, thread, kind, ms] of text.matchAll(LINE)) {
    const pauses = threads.get(thread as string) ?? [];
    pauses.push({ kind: kind as string, ms: Number(ms) });
    threads.set(thread as string, pauses);
  }
  return [...threads].map(([thread, pauses]) => ({ thread, pauses }));
}

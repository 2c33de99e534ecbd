// Rounds of load on a server, with the processor time it takes, and tables of them.
import { readFileSync } from 'node:fs';
import { type Contestant, LOAD_CPU } from './arena.js';
import { spreadOf } from './stats.js';

/** A core that is idle for less than this share of the time is a limit of what is measured. */
const LEAST_IDLE = 0.03;

export interface Round {
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly p50: number;
  readonly p99: number;
  readonly failed: number;
  readonly isLoadLimited: boolean;
}

/** What a load tells. */
export interface Answers {
  readonly received: number;
  readonly perSecond: number;
  readonly rcodes: readonly number[];
  readonly p50: number;
  readonly p99: number;
}

/** Runs a load and looks at what it costs the server. */
export async function timed(c: Contestant, load: () => Promise<Answers>): Promise<Round> {
  const cpuBefore = c.process.cpuSeconds;
  const coreBefore = coreTimes();
  const result = await load();
  const core = coreTimes();
  const cpuUs = ((c.process.cpuSeconds - cpuBefore) * 1e6) / Math.max(1, result.received);
  const idle = (core.idle - coreBefore.idle) / Math.max(1, core.total - coreBefore.total);
  return {
    perSecond: result.perSecond,
    cpuUs,
    p50: result.p50,
    p99: result.p99,
    failed: result.received - (result.rcodes[0] ?? 0),
    isLoadLimited: idle < LEAST_IDLE,
  };
}

/** Prints a line for each server, medians of its rounds. */
export function printRounds(
  title: string,
  lines: readonly { readonly name: string; readonly rounds: readonly Round[] }[],
): void {
  console.log(
    `| ${title} | per s | least | most | us CPU | p50 us | p99 us | failed | load limited |`,
  );
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const { name, rounds } of lines) {
    const median = (value: (round: Round) => number): number => spreadOf(rounds.map(value)).median;
    const rate = spreadOf(rounds.map((r) => r.perSecond));
    const cells = [
      name,
      Math.round(rate.median),
      Math.round(rate.least),
      Math.round(rate.most),
      median((r) => r.cpuUs).toFixed(2),
      Math.round(median((r) => r.p50)),
      Math.round(median((r) => r.p99)),
      rounds.reduce((sum, r) => sum + r.failed, 0),
      `${rounds.filter((r) => r.isLoadLimited).length} of ${rounds.length}`,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  console.log('');
}

export const LOAD_LIMITED = `Load limited: rounds in which the core of load and upstream was never idle; there
the rate is the least the server can do, and its processor time tells them apart.`;

/** Ticks of the load's core so far. */
function coreTimes(): { idle: number; total: number } {
  const line = new RegExp(`^cpu${LOAD_CPU} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'utf8'));
  const ticks = (line?.[1] ?? '').split(' ').map(Number);
  return { idle: (ticks[3] ?? 0) + (ticks[4] ?? 0), total: ticks.reduce((a, b) => a + b, 0) };
}

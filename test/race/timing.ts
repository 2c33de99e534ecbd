// Whether an answer may be told at the time it was: neither before it was said, nor past its time (stale for so long as is allowed), with the TTLs that are left then, and not
// when it was flushed before.
import type { Asked } from './check.js';
import type { ReadMessage } from './message.js';
import { type Name, textOf } from './names.js';
import type { Stamp } from './stamp.js';
import { keptTtl, type Said } from './world.js';

/** What the configuration says of a zone. */
export interface ZoneRules {
  /** Milliseconds for which answers may be used past their time; 0 for none. */
  readonly staleMs: number;
  /** TTL of stale records, which no other has. */
  readonly staleTtl: number;
  readonly keepsTtl: boolean;
  /** Milliseconds that a failure is kept at most. */
  readonly failureMs: number;
  /** Unknown names may be refused when there are many. */
  readonly isLimited: boolean;
}

interface Flush {
  readonly startMs: number;
  readonly endMs: number;
}

/** Ticks of the cache are 1/16 s, and clocks are read once per batch. */
const CLOCK_MS = 200;

/**
 * How much older than it should be an answer may be without a reason: ticks, the way from the upstream, clocks of a batch. When processes wait for a processor it may take
 * longer until an answer arrives; see doubts.ts.
 */
export const SLACK_MS = 300;

export interface Timed {
  readonly isStale: boolean;
  /** Milliseconds that the answer must have been on its way from the upstream for what was told to be right. */
  readonly needMs: number;
}
const MAX_FLUSHES = 10_000;
const EDE = 15;

export class Timing {
  #flushes = new Map<string, Flush>();
  readonly #disturbances: Flush[] = [];

  /** A name, or with `*.` in front all below it as well, was flushed. */
  flushed(name: string, startMs: number, endMs: number): void {
    if (this.#flushes.size >= MAX_FLUSHES) this.#flushes.clear();
    this.#flushes.set(name, { startMs, endMs });
  }

  /** What was flushed may be back: a snapshot from before was loaded. */
  forgetFlushes(): void {
    this.#flushes.clear();
  }

  /** The server stopped, or a worker of it, at some time between these. */
  disturbed(startMs: number, endMs: number): void {
    this.#disturbances.push({ startMs, endMs });
  }

  isDisturbed(fromMs: number, toMs: number): boolean {
    return this.#disturbances.some(
      ({ startMs, endMs }) => fromMs <= endMs + SLACK_MS && toMs >= startMs - SLACK_MS,
    );
  }

  /** Throws when the answer may not be told, or not so, however long it was on its way. */
  check(
    asked: Asked,
    name: Name,
    said: Said,
    { saidMs }: Stamp,
    message: ReadMessage,
    rules: ZoneRules,
    receivedMs: number,
  ): Timed {
    const sentAge = asked.sentMs - saidMs;
    const age = receivedMs - saidMs;
    if (age < -1) throw new Error(`said ${-age} ms after it was received`);
    const flushed = this.#sinceFlush(name, asked.sentMs, saidMs);
    const kept = said.rrs.map(keptTtl);
    if (kept.length === 0) {
      return { isStale: false, needMs: Math.max(flushed, sentAge - rules.failureMs) };
    }
    const lifeMs = Math.min(...kept) * 1000;
    const isStale = rules.staleMs > 0 && isStaleReply(asked, message, rules.staleTtl);
    let needMs = Math.max(flushed, sentAge - lifeMs - (isStale ? rules.staleMs : 0));
    if (isStale) {
      if (age < lifeMs - CLOCK_MS) throw new Error('stale before its time');
      const odd = message.rrs.find((rr) => rr.ttl !== rules.staleTtl);
      if (odd !== undefined) throw new Error(`stale with TTL ${odd.ttl}`);
    } else {
      for (const [i, { ttl }] of message.rrs.entries()) {
        const most = kept[i] as number;
        const least = rules.keepsTtl ? most : most - Math.floor((age + CLOCK_MS) / 1000);
        if (ttl < Math.max(0, least) || ttl > most) {
          throw new Error(`TTL ${ttl}, want ${least} to ${most} after ${age.toFixed(0)} ms`);
        }
        // A second less was left with each second that it was kept.
        if (!rules.keepsTtl) needMs = Math.max(needMs, sentAge - (most - ttl + 1) * 1000);
      }
    }
    return { isStale, needMs };
  }

  /** For how many milliseconds it was said when the name it is about was flushed, below 0 when it was not, or only afterwards. */
  #sinceFlush(name: Name, sentMs: number, saidMs: number): number {
    let most = Number.NEGATIVE_INFINITY;
    if (this.#flushes.size === 0) return most;
    const text = textOf(name.wire);
    for (let from = 0, isOwn = true; from < text.length; isOwn = false) {
      const rest = text.slice(from);
      for (const key of isOwn ? [rest, `*.${rest}`] : [`*.${rest}`]) {
        const flush = this.#flushes.get(key);
        if (flush !== undefined && sentMs > flush.endMs) {
          most = Math.max(most, flush.startMs - saidMs);
        }
      }
      from = text.indexOf('.', from) + 1;
      if (from === 0) break;
    }
    return most;
  }
}

/** A client without EDNS knows a stale answer by its TTLs alone. */
function isStaleReply({ hasOpt }: Asked, { opts, rrs }: ReadMessage, staleTtl: number): boolean {
  if (!hasOpt) return rrs.length > 0 && rrs.every((rr) => rr.ttl === staleTtl);
  const codes = (opts[0]?.options ?? [])
    .filter(({ code }) => code === EDE)
    .map(({ data }) => data.readUInt16BE(0));
  return codes.includes(3) || codes.includes(19);
}

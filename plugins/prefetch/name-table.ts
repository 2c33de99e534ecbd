// Hot path for misses. The names that were learnt, with what is known of each: written when an entry is stored, looked at once a second for what is about
// to end.
import type { SlabKey } from '../../core/plugin.js';
import { allocateBuckets, Bucket, Field, nameWords } from './bucket.js';
import {
  isArmed,
  LIFETIME_STEPS,
  lifetimeOf,
  lifetimeStep,
  Popularity,
  WHOLE,
} from './popularity.js';
import { allocateSeenOnce, SeenOnce } from './seen-once.js';

/** Words of the longest name. */
const NAME_WORDS = 64;

/** A name is looked at when a tenth of its time is left, within these limits in seconds: once a second somebody looks, and an upstream needs its time. */
const MIN_LEAD = 2;
const MAX_LEAD = 30;
const LEAD_SHARE = 0.1;

/** Names that are kept for a shorter time, in seconds, are not refreshed: they would be all the time. Less than that as steps of lifetimes are rounded. */
const MIN_LIFETIME = 3.9;

/** What is known of the time for which a name was kept before it was stored anew. */
export const Use = {
  /** It had ended: a client had to wait. */
  MISSED: 0,
  /** It was refreshed, and a client had made use of it; nobody had; nobody knows, it was not there. */
  USED: 1,
  UNUSED: 2,
  UNKNOWN: 3,
} as const;
export type Use = (typeof Use)[keyof typeof Use];

/** What became of the refresh by the timer that the time of a name that ended was due to; NONE when it was due to something else. */
export const Outcome = { NONE: 0, USED: 1, UNUSED: 2 } as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

export interface NameMemory {
  readonly buckets: Int32Array;
  readonly seen: Int32Array;
}

/** Memory for so many names, about. */
export function allocateNames(names: number): NameMemory {
  return { buckets: allocateBuckets(names), seen: allocateSeenOnce(names) };
}

/** One thread's way to the table. The fields are of the record that was met last. */
export class NameTable {
  readonly popularity = new Popularity();
  /** The key without what belongs to this process: its two words, and the name with zeros behind it. */
  a = 0;
  b = 0;
  readonly name = new Int32Array(NAME_WORDS);
  /** The tick at which its time ends. */
  end = 0;
  readonly bucket: Bucket;
  readonly #seen: SeenOnce;
  readonly #ticksPerSecond: number;
  /** Ticks before its end at which a name is looked at, by the step of the time for which it is kept. */
  readonly #leads: Int32Array;
  #at = 0;

  /** `owner` is unique to the thread and not 0. */
  constructor({ buckets, seen }: NameMemory, owner: number, ticksPerSecond: number) {
    this.bucket = new Bucket(buckets, owner);
    this.#seen = new SeenOnce(seen);
    this.#ticksPerSecond = ticksPerSecond;
    this.#leads = Int32Array.from({ length: LIFETIME_STEPS }, (_, step) => {
      const seconds = Math.min(Math.max(lifetimeOf(step) * LEAD_SHARE, MIN_LEAD), MAX_LEAD);
      return Math.round(seconds * ticksPerSecond);
    });
  }

  /**
   * Learns that a name was stored at tick `now`, to be kept for `lifetime` ticks, and what is known of the time before. `origin` is 0 when it is not known
   * where it came from.
   */
  learn(
    key: SlabKey,
    now: number,
    lifetime: number,
    use: Use,
    origin: number,
    period: number,
  ): Outcome {
    const { bucket, popularity } = this;
    const end = (now + lifetime) | 0;
    bucket.evicted = 0;
    if (!bucket.open(bucket.of(key))) return Outcome.NONE;
    let at = bucket.find(key);
    if (at === 0) {
      if (!this.#seen.meet(key.high)) return this.#close();
      at = bucket.add(key, period);
      popularity.begin(period);
      popularity.use();
    } else {
      this.#load(at, period);
      // Every client that waited for one reply comes here with it.
      if (use === Use.MISSED && this.end === end) return this.#close();
      this.#observe(use, now);
    }
    const outcome = outcomeOf(popularity, use);
    popularity.isByTimer = popularity.isUnderWay;
    popularity.isUnderWay = false;
    popularity.lifetime = lifetime / this.#ticksPerSecond;
    popularity.isArmed = popularity.lifetime >= MIN_LIFETIME;
    if (origin !== 0) popularity.origin = origin;
    this.end = end;
    this.#save(at);
    this.#close();
    return outcome;
  }

  /** A name is not to be refreshed: nobody looks at it until it is stored anew. `use` is of the time that is about to end. */
  rest(key: SlabKey, use: Use, period: number): Outcome {
    const at = this.#find(key, period);
    if (at === 0) return Outcome.NONE;
    const { popularity } = this;
    if (use === Use.USED) popularity.observe(WHOLE);
    else if (use === Use.UNUSED) popularity.observe(0);
    const outcome = outcomeOf(popularity, use);
    popularity.isByTimer = false;
    popularity.isUnderWay = false;
    popularity.isArmed = false;
    this.#save(at);
    this.#close();
    return outcome;
  }

  /** A name is to be looked at again at this tick; until then it is refreshed by the timer, or not. */
  lookAgain(key: SlabKey, tick: number, isUnderWay: boolean, period: number): void {
    const at = this.#find(key, period);
    if (at === 0) return;
    this.popularity.isArmed = true;
    this.popularity.isUnderWay = isUnderWay;
    this.end = (tick + this.lead) | 0;
    this.#save(at);
    this.#close();
  }

  /** A refresh failed: the name is to be looked at again at this tick, unless it failed too often. */
  fail(key: SlabKey, tick: number, period: number): void {
    const at = this.#find(key, period);
    if (at === 0) return;
    this.popularity.isUnderWay = false;
    this.popularity.waste();
    this.end = (tick + this.lead) | 0;
    this.#save(at);
    this.#close();
  }

  /** Takes in a record that was kept over a restart: `popularity`, under this key. It is looked at at tick `now`. False when the name is known already. */
  restore(key: SlabKey, now: number): boolean {
    const { bucket, popularity } = this;
    if (!bucket.open(bucket.of(key))) return false;
    const isNew = bucket.find(key) === 0;
    if (isNew) {
      popularity.isArmed = true;
      popularity.isByTimer = false;
      popularity.isUnderWay = false;
      this.end = now;
      this.#save(bucket.add(key, popularity.period));
    }
    this.#close();
    return isNew;
  }

  /** Calls `visit` for each record of a bucket, with the fields set to it. When it gives true, changes of `popularity` and `end` last. It must call nothing else here. */
  visit(index: number, period: number, visit: (tag: number) => boolean): void {
    const { bucket } = this;
    if (!bucket.open(index)) return;
    for (let at = bucket.first(); at !== 0; at = bucket.after(at)) {
      this.#load(at, period);
      if (visit(bucket.words[at + Field.TAG] as number)) this.#save(at);
    }
    this.#close();
  }

  /** The same for those alone that are to be looked at by tick `now`. */
  visitDue(index: number, now: number, period: number, visit: (tag: number) => boolean): void {
    const { bucket } = this;
    const { words } = bucket;
    if (!bucket.isDue(index, now) || !bucket.open(index)) return;
    bucket.rest();
    for (let at = bucket.first(); at !== 0; at = bucket.after(at)) {
      const state = words[at + Field.POPULARITY] as number;
      if (!isArmed(state)) continue;
      const lead = this.#leads[lifetimeStep(state)] as number;
      const due = ((words[at + Field.END] as number) - lead) | 0;
      bucket.hasten(due);
      if (((now - due) | 0) < 0) continue;
      this.#load(at, period);
      if (visit(words[at + Field.TAG] as number)) this.#save(at);
    }
    this.#close();
  }

  /** Whether the record met last is to be looked at by tick `now`. */
  isDue(now: number): boolean {
    return this.popularity.isArmed && ((now - this.end + this.lead) | 0) >= 0;
  }

  /** Reads a record, name and all; false when it is gone. */
  read(index: number, tag: number, period: number): boolean {
    const { bucket } = this;
    if (!bucket.open(index)) return false;
    const at = bucket.findTag(tag);
    if (at !== 0) {
      this.#load(at, period);
      this.copyName();
    }
    this.#close();
    return at !== 0;
  }

  /** Makes `name` that of the record that is visited. */
  copyName(): void {
    const { words } = this.bucket;
    const count = nameWords(this.b);
    for (let i = 0; i < count; i++) this.name[i] = words[this.#at + Field.NAME + i] as number;
  }

  /** How many ticks before its end a name is looked at. */
  get lead(): number {
    return this.#leads[this.popularity.step] as number;
  }

  #observe(use: Use, now: number): void {
    const { popularity } = this;
    if (use === Use.MISSED) {
      const lifetime = popularity.lifetime * this.#ticksPerSecond;
      const gap = Math.max(0, (now - this.end) | 0);
      popularity.observe(Math.round((WHOLE * lifetime) / (lifetime + gap)));
      popularity.use();
    } else if (use === Use.USED) {
      popularity.observe(WHOLE);
      popularity.use();
    } else if (use === Use.UNUSED) {
      popularity.observe(0);
      if (popularity.isByTimer) popularity.waste();
    }
  }

  /** Opens the bucket of a key and loads its record; 0, and nothing is open, when there is none. */
  #find(key: SlabKey, period: number): number {
    const { bucket } = this;
    if (!bucket.open(bucket.of(key))) return 0;
    const at = bucket.find(key);
    if (at === 0) this.#close();
    else this.#load(at, period);
    return at;
  }

  #load(at: number, period: number): void {
    const { words } = this.bucket;
    this.#at = at;
    this.a = words[at + Field.A] as number;
    this.b = words[at + Field.B] as number;
    this.end = words[at + Field.END] as number;
    this.popularity.load(words, at + Field.POPULARITY);
    this.popularity.turnTo(period);
  }

  #save(at: number): void {
    this.bucket.words[at + Field.END] = this.end;
    this.popularity.store(this.bucket.words, at + Field.POPULARITY);
    if (this.popularity.isArmed) this.bucket.hasten((this.end - this.lead) | 0);
  }

  #close(): Outcome {
    this.bucket.close();
    return Outcome.NONE;
  }
}

function outcomeOf({ isByTimer }: Popularity, use: Use): Outcome {
  if (!isByTimer) return Outcome.NONE;
  if (use === Use.USED) return Outcome.USED;
  return use === Use.UNUSED ? Outcome.UNUSED : Outcome.NONE;
}

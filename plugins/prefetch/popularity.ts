// How popular one name is: the share of the times for which it was kept that a client made use of, of late and by the time of day. Four words in the table of
// names:
//
//   | of late, 8 bits | lifetime, 8 | upstreams, 6 | in vain, 2 | periods known, 6 | armed | by timer |
//   | period, 16 bits | used in it, 12 | - | under way |
//   | share in each of the eight periods of a day, 8 bits each: two words |
//
// A period is three hours. When one is over, the share of it that was used goes into the mean of its time of day. Nothing is done meanwhile: a name that is not
// looked at for a week is brought up to date when it is.

/** Three hours: a few parts of the day that people's habits differ in. */
const PERIOD_MS = 10_800_000;
const PERIOD_SECONDS = PERIOD_MS / 1000;
const PERIODS_PER_DAY = 8;

/** Halved after so many days. Weekends pass without what people do on working days being forgotten. */
const HALF_LIFE_DAYS = 3;
const DAY_WEIGHT = 1 - 2 ** (-1 / HALF_LIFE_DAYS);

/** Periods that are counted: afterwards a day weighs DAY_WEIGHT, before that all days weigh the same. */
const MAX_KNOWN = Math.floor(1 / DAY_WEIGHT) * PERIODS_PER_DAY;

/** Past so many days without any use nothing is left of the highest share. */
const MAX_PASSED = 32 * PERIODS_PER_DAY;

/** The whole, as shares are kept. */
export const WHOLE = 255;

/** After so many refreshes in a row that nobody used there is no other. */
export const MAX_IN_VAIN = 3;

const MAX_USED = 0xfff;

/** Of the times for which a name is kept: steps of 9 %. */
const STEPS_PER_OCTAVE = 8;

/** Steps of times that there are. */
export const LIFETIME_STEPS = 256;

const ARMED = 1 << 30;
const BY_TIMER = 1 << 31;
const UNDER_WAY = 1 << 31;

/** Words that it takes. */
export const POPULARITY_WORDS = 4;

/** Whether what is kept in this first word says that a name is to be looked at; and the step of the time for which it is kept. */
export function isArmed(state: number): boolean {
  return (state & ARMED) !== 0;
}

export function lifetimeStep(state: number): number {
  return (state >>> 8) & 0xff;
}

/** Seconds of a step. */
export function lifetimeOf(step: number): number {
  return 2 ** (step / STEPS_PER_OCTAVE);
}

/** The number of the period that a time of day, in milliseconds since 1970, is in; wraps after 22 years. */
export function periodOf(wallMs: number): number {
  return Math.floor(wallMs / PERIOD_MS) & 0xffff;
}

/** One after another, as it is loaded. */
export class Popularity {
  /** Share of WHOLE. */
  late = 0;
  /** Upstreams it comes from, as a number of the budget. */
  origin = 0;
  /** Refreshes in a row that nobody used. */
  inVain = 0;
  /** Whether it is to be looked at shortly before its end. */
  isArmed = false;
  /** The time for which it is kept now is due to the timer; a refresh by the timer is under way. */
  isByTimer = false;
  isUnderWay = false;
  period = 0;
  /** Uses in the period, one at most for each time for which it was kept. */
  used = 0;
  /** For how long it is kept. */
  step = 0;
  /** Shares of the periods of a day, four in each: taken apart when they are needed only. */
  #firstHalf = 0;
  #secondHalf = 0;
  #known = 0;

  /** What a name that was just learnt has. */
  begin(period: number): void {
    this.late = 0;
    this.origin = 0;
    this.inVain = 0;
    this.isArmed = true;
    this.isByTimer = false;
    this.isUnderWay = false;
    this.period = period;
    this.used = 0;
    this.#firstHalf = 0;
    this.#secondHalf = 0;
    this.step = 0;
    this.#known = 0;
  }

  load(words: Int32Array, at: number): void {
    const state = words[at] as number;
    const uses = words[at + 1] as number;
    this.late = state & 0xff;
    this.step = lifetimeStep(state);
    this.origin = (state >>> 16) & 0x3f;
    this.inVain = (state >>> 22) & 3;
    this.#known = (state >>> 24) & 0x3f;
    this.isArmed = isArmed(state);
    this.isByTimer = (state & BY_TIMER) !== 0;
    this.period = uses & 0xffff;
    this.used = (uses >>> 16) & MAX_USED;
    this.isUnderWay = (uses & UNDER_WAY) !== 0;
    this.#firstHalf = words[at + 2] as number;
    this.#secondHalf = words[at + 3] as number;
  }

  store(words: Int32Array, at: number): void {
    words[at] =
      this.late |
      (this.step << 8) |
      (this.origin << 16) |
      (this.inVain << 22) |
      (this.#known << 24) |
      (this.isArmed ? ARMED : 0) |
      (this.isByTimer ? BY_TIMER : 0);
    words[at + 1] = this.period | (this.used << 16) | (this.isUnderWay ? UNDER_WAY : 0);
    words[at + 2] = this.#firstHalf;
    words[at + 3] = this.#secondHalf;
  }

  /** Seconds for which it is kept, within 5 %. */
  get lifetime(): number {
    return lifetimeOf(this.step);
  }

  set lifetime(seconds: number) {
    const steps = Math.round(Math.log2(Math.max(seconds, 1)) * STEPS_PER_OCTAVE);
    this.step = Math.min(steps, LIFETIME_STEPS - 1);
  }

  /** Brings it up to date at the beginning of `period`. */
  turnTo(period: number): void {
    const passed = (period - this.period) & 0xffff;
    if (passed === 0) return;
    const wasUsed = this.used > 0;
    // A clock that was put back by less than eleven years.
    const isBefore = passed > 0x7fff;
    if (!isBefore) {
      const share = Math.min(1, (this.used * this.lifetime) / PERIOD_SECONDS);
      this.#average(this.period, Math.round(share * WHOLE));
      for (let i = 1; i < Math.min(passed, MAX_PASSED); i++) this.#average(this.period + i, 0);
      // What was of late is half of that a day later.
      this.late = Math.floor(this.late * 2 ** ((wasUsed ? 1 - passed : -passed) / PERIODS_PER_DAY));
    }
    this.period = period;
    this.used = 0;
  }

  /** A time for which it was kept was made use of to this share of WHOLE. */
  observe(share: number): void {
    const step = (share - this.late) / 4;
    this.late += step > 0 ? Math.ceil(step) : Math.floor(step);
  }

  /** Somebody asked: once in a time for which it was kept. */
  use(): void {
    this.inVain = 0;
    if (this.used < MAX_USED) this.used++;
  }

  /** A refresh was for nothing. */
  waste(): void {
    if (this.inVain < MAX_IN_VAIN) this.inVain++;
  }

  /** What of the next time for which it is kept will be used, as share of WHOLE. */
  get expected(): number {
    return Math.max(this.late, this.usual);
  }

  /** The same as far as the time of day tells. */
  get usual(): number {
    return this.shareAt(this.period % PERIODS_PER_DAY);
  }

  /** The share of one period of a day. */
  shareAt(part: number): number {
    return ((part < 4 ? this.#firstHalf : this.#secondHalf) >>> ((part & 3) * 8)) & 0xff;
  }

  /** The shares of all. Allocates. */
  get shares(): number[] {
    return Array.from({ length: PERIODS_PER_DAY }, (_, part) => this.shareAt(part));
  }

  /** The most it is at any time of day: what it is worth to know it. */
  get peak(): number {
    let most = this.late;
    for (let i = 0; i < PERIODS_PER_DAY; i++) most = Math.max(most, this.shareAt(i));
    return most;
  }

  #average(period: number, share: number): void {
    const days = Math.floor(this.#known / PERIODS_PER_DAY);
    const weight = Math.max(DAY_WEIGHT, 1 / (days + 1));
    const part = period % PERIODS_PER_DAY;
    const before = this.shareAt(part);
    const mean = before + (share - before) * weight;
    // Rounded towards the new one, or it would never get there.
    const change =
      ((share > before ? Math.ceil(mean) : Math.floor(mean)) ^ before) << ((part & 3) * 8);
    if (part < 4) this.#firstHalf ^= change;
    else this.#secondHalf ^= change;
    if (this.#known < MAX_KNOWN) this.#known++;
  }
}

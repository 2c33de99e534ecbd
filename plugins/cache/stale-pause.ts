// How long a stale entry is left alone after a refresh that failed.
import type { StaleOptions } from './options.js';
import type { Region } from './region.js';
import { ticksOfMs } from './ticks.js';

/** The least there is for refreshes in the background, however often the name is asked for, and where nothing is set. */
const LEAST_TICKS = ticksOfMs(1000);

/** RFC 8767 section 5: half a minute between attempts spares an upstream that is in trouble. */
const MOST_TICKS = ticksOfMs(30_000);

export class StalePause {
  readonly #recheckTicks: number | undefined;

  constructor(stale: StaleOptions | undefined) {
    const recheckMs = stale?.recheckMs;
    this.#recheckTicks = recheckMs === undefined ? undefined : ticksOfMs(recheckMs);
  }

  /** Ticks for the entry that `region` found, after a refresh that a client waited for. */
  forClient(region: Region): number {
    return this.#recheckTicks ?? backOff(region);
  }

  /** The same after one in the background; null for an entry that was not there. */
  inBackground(region: Region | null): number {
    if (region === null) return LEAST_TICKS;
    return Math.max(this.forClient(region), LEAST_TICKS);
  }
}

/** As long as the entry is past its time: attempts are then twice as far apart each time, without a count of them. */
function backOff(region: Region): number {
  const past = region.age - region.lifetime;
  return Math.min(Math.max(past, LEAST_TICKS), MOST_TICKS);
}

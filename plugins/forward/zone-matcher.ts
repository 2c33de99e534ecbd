// Hot path. Whether a question name is one of some zones or below one.
import { parseName, type Query } from '../../core/plugin.js';

export class ZoneMatcher {
  readonly #zones: readonly Uint8Array[];
  readonly #matchesAll: boolean;

  /** `zones` are lower case with final dot. */
  constructor(zones: readonly string[]) {
    this.#zones = zones.map((zone) => parseName(zone));
    this.#matchesAll = zones.includes('.');
  }

  get size(): number {
    return this.#zones.length;
  }

  /** The name is a zone of these, or below one. */
  covers(q: Query): boolean {
    if (this.#matchesAll) return true;
    const length = q.qnameEnd - q.qnameOffset;
    for (let i = 0; i < this.#zones.length; i++) {
      const zone = this.#zones[i] as Uint8Array;
      const start = length - zone.length;
      if (start >= 0 && endsWith(q.folded, start, zone) && isLabelStart(q.folded, start))
        return true;
    }
    return false;
  }

  /** The name is a zone of these. */
  has(q: Query): boolean {
    const length = q.qnameEnd - q.qnameOffset;
    for (let i = 0; i < this.#zones.length; i++) {
      const zone = this.#zones[i] as Uint8Array;
      if (zone.length === length && endsWith(q.folded, 0, zone)) return true;
    }
    return false;
  }
}

function endsWith(name: Uint8Array, start: number, zone: Uint8Array): boolean {
  for (let i = zone.length - 1; i >= 0; i--) if (name[start + i] !== zone[i]) return false;
  return true;
}

/** The bytes of a label can look like the length octet of another. */
function isLabelStart(name: Uint8Array, offset: number): boolean {
  let at = 0;
  while (at < offset) at += (name[at] as number) + 1;
  return at === offset;
}

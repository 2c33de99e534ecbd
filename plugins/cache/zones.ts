// Hot path. Whether a question name is in one of some zones.
import { parseName, type Query } from '../../core/plugin.js';

export class Zones {
  readonly #zones: readonly Uint8Array[];
  readonly #hasAll: boolean;

  /** `zones` are lower case with final dot. `known` are zones that every query is in one of, so that nothing need be compared for those. */
  constructor(zones: readonly string[], known: readonly string[] = []) {
    this.#zones = zones.map((zone) => parseName(zone));
    this.#hasAll =
      zones.includes('.') || (known.length > 0 && known.every((zone) => zones.includes(zone)));
  }

  covers(q: Query): boolean {
    if (this.#hasAll) return true;
    const length = q.qnameEnd - q.qnameOffset;
    for (let i = 0; i < this.#zones.length; i++) {
      const zone = this.#zones[i] as Uint8Array;
      const start = length - zone.length;
      if (start >= 0 && endsWith(q.folded, start, zone) && isLabelStart(q.folded, start)) {
        return true;
      }
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

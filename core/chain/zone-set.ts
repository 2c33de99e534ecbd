// Hot path. Whether a question name is in one of some zones: what most plugins with a ZONES argument ask first.
import { parseName } from '../wire/name.js';
import type { Query } from './query.js';

export class ZoneSet {
  readonly #zones: readonly Uint8Array[];
  readonly #hasAll: boolean;

  /** `zones` are names as text. `known` are zones that every query is in one of (the server block's), so that nothing need be compared for those. */
  constructor(zones: readonly string[], known: readonly string[] = []) {
    const folded = zones.map((zone) => zone.toLowerCase());
    this.#zones = folded.map((zone) => parseName(zone));
    this.#hasAll =
      folded.includes('.') || (known.length > 0 && known.every((zone) => folded.includes(zone)));
  }

  get size(): number {
    return this.#zones.length;
  }

  /** The question name is a zone of these, or below one. */
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

  /** The question name is a zone of these. */
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

/** The bytes of a zone may end a longer label: `xexample.org` is not below `example.org`. */
function isLabelStart(name: Uint8Array, offset: number): boolean {
  let at = 0;
  while (at < offset) at += (name[at] as number) + 1;
  return at === offset;
}

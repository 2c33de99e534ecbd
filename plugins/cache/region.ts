// Hot path. One half of the cache, answers or denials: its slab, and what was loaded of the entry looked up last.
import { type SlabGeometry, type SlabKey, SlabReader, SlabWriter } from '../../core/plugin.js';
import { Kind } from './classify.js';
import { kindBits, Meta } from './entry.js';
import { TICK_SHIFT } from './ticks.js';

export const Freshness = { ABSENT: 0, STALE: 1, FRESH: 2 } as const;
export type Freshness = (typeof Freshness)[keyof typeof Freshness];

/** Times a look-up is begun again because the entry was changed; then it is a miss. A change takes well under a microsecond. */
const ATTEMPTS = 4;

/** Ticks that an entry stays past its time. A failure is not used then, but tells how long the next one is kept. */
export function remainTicks(kind: number, lifetime: number, staleTicks: number): number {
  return kind === Kind.FAILURE ? lifetime : staleTicks;
}

export class Region {
  readonly reader: SlabReader;
  readonly writer: SlabWriter;
  /** Header words of the found entry. */
  head0 = 0;
  head1 = 0;
  head2 = 0;
  shape = 0;
  lifetime = 0;
  /** Ticks since the found entry was stored. */
  age = 0;
  /** For how many ticks entries may be used past their time. */
  staleTicks: number;

  /** `owner` is unique to the thread; `staleTicks` is how long entries may be used past their time. */
  constructor(
    memory: SharedArrayBuffer,
    geometry: SlabGeometry,
    owner: number,
    staleTicks: number,
  ) {
    this.reader = new SlabReader(memory, geometry);
    this.writer = new SlabWriter(memory, geometry, owner);
    this.staleTicks = staleTicks;
  }

  /**
   * Looks a key up at tick `now` and loads what is in the entry's header. FRESH is hearsay, like everything loaded, until `reader.isWhole` said so:
   * whoever gives the entry to a client asks that in any case, once the body is copied. STALE and ABSENT are certain.
   */
  look(key: SlabKey, now: number): Freshness {
    const { reader } = this;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (!reader.find(key)) return Freshness.ABSENT;
      this.head0 = reader.meta(Meta.HEAD);
      this.head1 = reader.meta(Meta.HEAD + 1);
      this.head2 = reader.meta(Meta.HEAD + 2);
      this.shape = reader.meta(Meta.SHAPE);
      this.lifetime = reader.meta(Meta.LIFETIME);
      const age = (now - reader.meta(Meta.STORED)) | 0;
      // Another worker's clock may be a batch ahead.
      this.age = Math.max(age, 0);
      if (age < this.lifetime) return Freshness.FRESH;
      if (!reader.isWhole) continue;
      return age < this.lifetime + this.staleTicksFor(this.kind)
        ? Freshness.STALE
        : Freshness.ABSENT;
    }
    return Freshness.ABSENT;
  }

  /** Loads kind, age and lifetime of a key's entry, however old; false when there is none. */
  recall(key: SlabKey, now: number): boolean {
    const { reader } = this;
    if (!reader.find(key)) return false;
    this.shape = reader.meta(Meta.SHAPE);
    this.lifetime = reader.meta(Meta.LIFETIME);
    this.age = Math.max((now - reader.meta(Meta.STORED)) | 0, 0);
    return reader.isWhole;
  }

  /** Ticks that an entry of this kind may be used past its time; a failure is never. */
  staleTicksFor(kind: Kind): number {
    return kind === Kind.FAILURE ? 0 : this.staleTicks;
  }

  /** What the found entry is. */
  get kind(): Kind {
    return (kindBits(this.shape) + Kind.ANSWER) as Kind;
  }

  /** Age of the found entry in whole seconds. */
  get ageSeconds(): number {
    return this.age >> TICK_SHIFT;
  }
}

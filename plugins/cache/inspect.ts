// What is in the cache, entry by entry, as the main thread sees it: for commands. Workers go on meanwhile.
import { setTimeout as pause, setImmediate } from 'node:timers/promises';
import {
  CONTROL_OWNER,
  className,
  equalFolded,
  formatName,
  type PresentedRecord,
  presentRecords,
  Rcode,
  type SlabGeometry,
  SlabWalker,
  SlabWriter,
  slabBytes,
  typeName,
} from '../../core/plugin.js';
import { Kind } from './classify.js';
import {
  HEADER_BYTES,
  HEADER_WORDS,
  hasExtendedError,
  kindBits,
  Meta,
  messageLength,
  ttlCount,
} from './entry.js';
import {
  CHECKING_DISABLED,
  DNSSEC_OK,
  isForNetwork,
  isNetworkList,
  NETWORK_WORDS,
  networkText,
  RECURSION_DESIRED,
  WHOLE_NAME,
} from './key.js';
import type { CacheMemory } from './options.js';
import { TICK_SHIFT } from './ticks.js';
import { ageTtls } from './ttl.js';

/** Entries looked at between two turns of the event loop: some 200 us. */
export const ENTRIES_PER_TURN = 1024;

/** Times a removal is tried again because a worker holds the lock of its shard: that is a matter of microseconds, unless the worker was halted. */
const ATTEMPTS = 64;

/** Then so often more with a pause, a second in all: it may wait for a processor, or have died and not been found yet. */
const PAUSES = 200;
const PAUSE_MS = 5;

const decoder = new TextDecoder();

/** Which entries are meant. */
export interface Selection {
  /** In wire form; undefined for all. */
  readonly name: Uint8Array | undefined;
  /** Names below it, too. */
  readonly isSubtree: boolean;
  /** Of the question; undefined for all. */
  readonly type: number | undefined;
}

/** One half of the cache with its name. */
export interface InspectedHalf {
  readonly half: 'success' | 'denial';
  readonly entries: number;
  readonly capacity: number;
  readonly bytes: number;
  readonly size: number;
}

export class CacheInspector {
  readonly #memory: CacheMemory;
  readonly #fingerprint: number;
  readonly #now: () => number;
  readonly #turn: () => Promise<void>;

  /** `now` gives the tick of this moment, `turn` lets other work be done. Only entries of this fingerprint are there for anybody. */
  constructor(
    memory: CacheMemory,
    fingerprint: number,
    now: () => number,
    turn: () => Promise<void> = setImmediate,
  ) {
    this.#memory = memory;
    this.#fingerprint = fingerprint | 0;
    this.#now = now;
    this.#turn = turn;
  }

  /** The selected entries that are still worth something. What is given is the same object, about the entry met last. */
  async *entries(selection: Selection): AsyncGenerator<EntryView, void> {
    for await (const view of this.#walk(selection)) {
      if (view.isUsable && !isNetworkList(view.walker.b)) yield view;
    }
  }

  /** Those that are only remembered and lists of networks, too. */
  async *#walk(selection: Selection): AsyncGenerator<EntryView, void> {
    let met = 0;
    for (const half of ['success', 'denial'] as const) {
      const view = new EntryView(half, this.#memory);
      const { walker } = view;
      for (let shard = 0; shard < walker.shards; shard++) {
        walker.start(shard);
        while (walker.next()) {
          if (++met % ENTRIES_PER_TURN === 0) await this.#turn();
          view.take(this.#now());
          if (view.isDead || walker.c !== this.#fingerprint) continue;
          if (isSelected(view, selection)) yield view;
        }
      }
    }
  }

  /** Drops the selected entries; gives how many. What is stored in the meantime may stay. */
  async flush(selection: Selection): Promise<number> {
    let flushed = 0;
    for await (const view of this.#walk(selection)) {
      const isAnswer = !isNetworkList(view.walker.b);
      if ((await this.#drop(view)) && isAnswer) flushed++;
    }
    return flushed;
  }

  /** Entries and memory of both halves. */
  halves(): InspectedHalf[] {
    return (['success', 'denial'] as const).map((half) => {
      const geometry = this.#memory[half];
      const { count, usedBytes } = new SlabWriter(this.#memory.memory, geometry, CONTROL_OWNER);
      const capacity = geometry.entries * geometry.shards;
      return { half, entries: count, capacity, bytes: usedBytes, size: slabBytes(geometry) };
    });
  }

  async #drop({ half, walker }: EntryView): Promise<boolean> {
    const writer = new SlabWriter(this.#memory.memory, this.#memory[half], CONTROL_OWNER);
    for (let attempt = 0; attempt < ATTEMPTS + PAUSES; attempt++) {
      const removed = writer.removeAt(walker);
      if (removed >= 0) return removed > 0;
      await (attempt < ATTEMPTS ? this.#turn() : pause(PAUSE_MS));
    }
    throw new Error('a part of the cache is locked by a worker that does not go on; try again');
  }
}

/** An entry that a walk met, in words and records. */
export class EntryView {
  readonly half: 'success' | 'denial';
  readonly walker: SlabWalker;
  /** Ticks since it was stored. */
  age = 0;
  isStale = false;
  isDead = false;
  /** Not so a failure past its time: it only says how long the next one is kept. */
  isUsable = false;
  #body: Int32Array;
  #bytes: Uint8Array;

  constructor(half: 'success' | 'denial', memory: CacheMemory) {
    const geometry: SlabGeometry = memory[half];
    this.half = half;
    this.walker = new SlabWalker(memory.memory, geometry);
    this.#body = this.walker.body;
    this.#bytes = new Uint8Array(this.#body.buffer);
  }

  /** Looks at what the walker met, at tick `now`. */
  take(now: number): void {
    const { meta, deadline } = this.walker;
    this.age = Math.max((now - (meta[Meta.STORED] as number)) | 0, 0);
    this.isStale = this.age >= (meta[Meta.LIFETIME] as number);
    this.isDead = ((now - deadline) | 0) >= 0;
    this.isUsable = !this.isDead && !(this.isStale && this.#kind === Kind.FAILURE);
  }

  /** The body; see entry.ts. */
  get bytes(): Uint8Array {
    const { body } = this.walker;
    if (body !== this.#body) {
      this.#body = body;
      this.#bytes = new Uint8Array(body.buffer);
    }
    return this.#bytes;
  }

  /** Where the question name is in the body, in lower case. */
  get nameAt(): number {
    return isForNetwork(this.walker.b) ? NETWORK_WORDS * 4 : 0;
  }

  get name(): string {
    return formatName(this.bytes, this.nameAt);
  }

  /** The network it is for, as `192.0.2.0/24`; undefined when it is for no network in particular. */
  get network(): string | undefined {
    return isForNetwork(this.walker.b) ? networkText(this.walker.body) : undefined;
  }

  get qtype(): number {
    return this.walker.a >>> 16;
  }

  /** Whether it is about the name, whatever the type: NXDOMAIN. */
  get isForAllTypes(): boolean {
    return (this.walker.b & WHOLE_NAME) !== 0;
  }

  get type(): string {
    return this.isForAllTypes ? '*' : typeName(this.qtype);
  }

  get rrclass(): string {
    return className(this.walker.a & 0xffff);
  }

  get #kind(): number {
    return kindBits(this.walker.meta[Meta.SHAPE] as number) + Kind.ANSWER;
  }

  get kind(): string {
    const { meta } = this.walker;
    switch (this.#kind) {
      case Kind.ANSWER:
        return 'answer';
      case Kind.REFERRAL:
        return 'referral';
      case Kind.DENIAL:
        // The rcode is in the fourth byte of the header.
        return (((meta[Meta.HEAD] as number) >>> 24) & 15) === Rcode.NXDOMAIN
          ? 'NXDOMAIN'
          : 'NODATA';
      default:
        return 'failure';
    }
  }

  /** What the question had set, of DO, CD and RD. */
  get flags(): string {
    const { b } = this.walker;
    const flags: string[] = [];
    if ((b & DNSSEC_OK) !== 0) flags.push('DO');
    if ((b & CHECKING_DISABLED) !== 0) flags.push('CD');
    if ((b & RECURSION_DESIRED) !== 0) flags.push('RD');
    return flags.join(' ');
  }

  /** Seconds for which it is fresh. */
  get ttl(): number {
    const left = (this.walker.meta[Meta.LIFETIME] as number) - this.age;
    return Math.max(0, left >> TICK_SHIFT);
  }

  /** Its records with the TTLs of now. */
  records(): PresentedRecord[] {
    const words = this.#message();
    const bytes = new Uint8Array(words.buffer);
    const shape = this.walker.meta[Meta.SHAPE] as number;
    const length = messageLength(shape);
    ageTtls(bytes, words, (length + 3) >> 2, ttlCount(shape), this.age >> TICK_SHIFT);
    return presentRecords(bytes, length);
  }

  /** Its extended error (RFC 8914), as `22 text`; undefined without one. */
  extendedError(): string | undefined {
    const shape = this.walker.meta[Meta.SHAPE] as number;
    if (!hasExtendedError(shape)) return undefined;
    const at = ((messageLength(shape) + 3) >> 2) + ((ttlCount(shape) + 1) >> 1);
    const words = this.#message();
    const head = words[at] as number;
    const text = new Uint8Array(words.buffer, (at + 1) * 4, head & 0xffff);
    return `${head >>> 16} ${decoder.decode(text)}`.trimEnd();
  }

  /** Header and body; see entry.ts. */
  #message(): Int32Array {
    const { b, meta, body, bodyWords } = this.walker;
    const words = new Int32Array(HEADER_WORDS + bodyWords);
    words.set(body.subarray(0, bodyWords), isForNetwork(b) ? 0 : HEADER_WORDS);
    words.set(meta.subarray(Meta.HEAD, Meta.HEAD + HEADER_BYTES / 4));
    return words;
  }
}

function isSelected(view: EntryView, { name, isSubtree, type }: Selection): boolean {
  if (type !== undefined && view.qtype !== type && !view.isForAllTypes) return false;
  if (name === undefined) return true;
  const { bytes } = view;
  for (let at = view.nameAt; ; at += (bytes[at] as number) + 1) {
    // A name ends with the root: what is equal up to there is the whole rest.
    if (equalFolded(bytes, at, name, 0, name.length)) return true;
    if (!isSubtree || bytes[at] === 0) return false;
  }
}

// Hot path for queries that ask for a network (RFC 7871). Which networks there are answers for: for each question a list, in the half of the cache where those
// answers are, as an entry of its own. A look-up takes from its header which lengths to try, longest first; whoever keeps an answer rewrites it:
//
//   header  | bit n - 1: IPv4 networks of n bits | IPv6, 1 to 32 | IPv6, 33 to 64 | bit f: EXACT ones of family f | stored | for how long |
//   body    | question name | per network: family and length | address, two words | for how long it is fresh, from `stored` on |
//
// Two workers that add to one list at the same time may lose one network; it is asked for again, and then it is there. A list that had to make room is begun
// anew in the same way.
import { EcsFamily, type Query, SlabReader, type SlabWriter } from '../../core/plugin.js';
import { META_COUNT, Meta } from './entry.js';
import { type CacheKey, EXACT, NETWORK_WORDS } from './key.js';
import type { CacheMemory } from './options.js';
import type { Region } from './region.js';

/** What `first` and `after` give when there is no further network. */
export const NO_MORE = 0;

/** What `add` gives when there are as many networks as may be. */
export const FULL = -3;

/** Words of a network in a list: the network, and until when it is fresh. */
const LISTED_WORDS = NETWORK_WORDS + 1;
const UNTIL = NETWORK_WORDS;

/** Words of the longest name. */
const NAME_WORDS = 64;

/** Word of the header that has the EXACT ones. */
const EXACTS = 3;

export class Networks {
  readonly #success: NetworkList;
  readonly #denial: NetworkList;
  readonly #key: CacheKey;
  /** The lengths that either list has for the family of the query loaded. */
  #low = 0;
  #high = 0;
  #hasExact = false;
  #source = 0;

  /** A question has at most `limit` networks in each half. */
  constructor(success: Region, denial: Region, key: CacheKey, memory: CacheMemory, limit: number) {
    this.#key = key.another();
    const reader = (half: 'success' | 'denial'): SlabReader =>
      new SlabReader(memory.memory, memory[half]);
    this.#success = new NetworkList(reader('success'), success.writer, limit);
    this.#denial = new NetworkList(reader('denial'), denial.writer, limit);
  }

  /** Finds out what networks there are answers to `q` for. */
  load(q: Query): void {
    const success = this.#success;
    const denial = this.#denial;
    this.#key.setList(q);
    success.load(this.#key, q.ecsFamily);
    denial.load(this.#key, q.ecsFamily);
    this.#low = success.low | denial.low;
    this.#high = success.high | denial.high;
    this.#hasExact = success.hasExact || denial.hasExact;
    this.#source = q.ecsSource;
  }

  /** The first network to look up, NO_MORE for none. */
  first(): number {
    return this.#hasExact ? this.#source | EXACT : this.#longest(this.#source);
  }

  /** The network to look up after this one. */
  after(network: number): number {
    return network >= EXACT ? this.#longest(this.#source) : this.#longest(network - 1);
  }

  /**
   * Notes that there is an answer to `q`, or a denial, for the network of `entry`, its key; fresh for `lifetime` ticks and of use for `staleTicks` more. Returns
   * what `SlabWriter.insert` does, or FULL; below 0 it is not noted.
   */
  add(
    q: Query,
    isDenial: boolean,
    entry: CacheKey,
    lifetime: number,
    staleTicks: number,
    now: number,
  ): number {
    this.#key.setList(q);
    const list = isDenial ? this.#denial : this.#success;
    return list.add(this.#key, entry.words, lifetime, staleTicks, now);
  }

  /** The longest of the networks with at most that many bits. */
  #longest(bits: number): number {
    const high = this.#high & lowest(bits - 32);
    if (high !== 0) return 64 - Math.clz32(high);
    return 32 - Math.clz32(this.#low & lowest(bits));
  }
}

/** The lists of one half. */
class NetworkList {
  low = 0;
  high = 0;
  hasExact = false;
  readonly #reader: SlabReader;
  readonly #writer: SlabWriter;
  readonly #limit: number;
  readonly #meta = new Int32Array(META_COUNT);
  readonly #body: Int32Array;

  /** The reader is its own: that of the region has the entry found. */
  constructor(reader: SlabReader, writer: SlabWriter, limit: number) {
    this.#reader = reader;
    this.#writer = writer;
    this.#limit = limit;
    this.#body = new Int32Array(NAME_WORDS + LISTED_WORDS * limit);
  }

  load(key: CacheKey, family: number): void {
    const reader = this.#reader;
    this.low = 0;
    this.high = 0;
    this.hasExact = false;
    if (!reader.find(key)) return;
    const isIpv6 = family === EcsFamily.IPV6;
    const low = reader.meta(isIpv6 ? 1 : 0);
    const high = isIpv6 ? reader.meta(2) : 0;
    const exacts = reader.meta(EXACTS);
    if (!reader.isWhole) return;
    this.low = low;
    this.high = high;
    this.hasExact = ((exacts >> family) & 1) !== 0;
    reader.touch();
  }

  add(
    key: CacheKey,
    network: Uint32Array,
    lifetime: number,
    staleTicks: number,
    now: number,
  ): number {
    const body = this.#body;
    const start = (key.bytes + 3) >> 2;
    const last = start + LISTED_WORDS * (this.#limit - 1);
    let end = this.#read(key, start, now);
    end = this.#prune(start, end, network, -staleTicks);
    // What is stale only makes room for what is not.
    if (end > last) end = this.#prune(start, end, network, 0);
    if (end > last) return FULL;
    for (let i = 0; i < NETWORK_WORDS; i++) body[end + i] = network[i] as number;
    body[end + UNTIL] = lifetime;
    end += LISTED_WORDS;
    const longest = this.#summarise(start, end);
    this.#meta[Meta.STORED] = now;
    this.#meta[Meta.LIFETIME] = longest;
    const deadline = (now + longest + staleTicks) | 0;
    return this.#writer.insert(key, this.#meta, body, end, deadline, now);
  }

  /** Copies the list to `#body`, with times from `now` on; the networks begin at word `start`. Returns where they end. */
  #read(key: CacheKey, start: number, now: number): number {
    const reader = this.#reader;
    const body = this.#body;
    if (reader.find(key)) {
      const end = reader.bodyWords;
      const age = (now - reader.meta(Meta.STORED)) | 0;
      if (end <= body.length && reader.copyBody(body, 0) && reader.isWhole) {
        for (let at = start; at < end; at += LISTED_WORDS) {
          body[at + UNTIL] = (body[at + UNTIL] as number) - age;
        }
        return end;
      }
    }
    for (let i = 0; i < start; i++) body[i] = key.words[i] as number;
    return start;
  }

  /** Takes out what is fresh for `left` ticks at most, and the network that is added. Returns where the list ends. */
  #prune(start: number, end: number, network: Uint32Array, left: number): number {
    const body = this.#body;
    let to = start;
    for (let at = start; at < end; at += LISTED_WORDS) {
      if ((body[at + UNTIL] as number) <= left || this.#isAt(at, network)) continue;
      for (let i = 0; i < LISTED_WORDS; i++) body[to + i] = body[at + i] as number;
      to += LISTED_WORDS;
    }
    return to;
  }

  #isAt(at: number, network: Uint32Array): boolean {
    for (let i = 0; i < NETWORK_WORDS; i++) {
      if (this.#body[at + i] !== ((network[i] as number) | 0)) return false;
    }
    return true;
  }

  /** Makes the header of the list. Returns for how many ticks one of the networks is fresh. */
  #summarise(start: number, end: number): number {
    const body = this.#body;
    const meta = this.#meta;
    meta.fill(0);
    let longest = 0;
    for (let at = start; at < end; at += LISTED_WORDS) {
      const kind = body[at] as number;
      const family = kind >> 8;
      longest = Math.max(longest, body[at + UNTIL] as number);
      if ((kind & EXACT) !== 0) {
        meta[EXACTS] = (meta[EXACTS] as number) | (1 << family);
        continue;
      }
      const bit = (kind & 127) - 1;
      const word = (family === EcsFamily.IPV6 ? 1 : 0) + (bit >> 5);
      meta[word] = (meta[word] as number) | (1 << (bit & 31));
    }
    return longest;
  }
}

/** A mask of the lowest `bits` bits, all 32 for more, none for less than 1. */
function lowest(bits: number): number {
  if (bits >= 32) return -1;
  return bits <= 0 ? 0 : (1 << bits) - 1;
}

// Writes records behind the header and question of a message, with name compression (RFC 1035 4.1.4).
import { RRClass, RRType } from './constants.js';
import { NameError } from './name.js';
import { NameTable } from './name-table.js';
import { firstRdataName, isCompressible, rdataNames } from './rdata.js';

export const Section = { ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 2 } as const;
export type Section = (typeof Section)[keyof typeof Section];

/** Names are in uncompressed wire form. */
export interface SrvData {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: Uint8Array;
}

/** Names are in uncompressed wire form; times in seconds. */
export interface SoaData {
  readonly mname: Uint8Array;
  readonly rname: Uint8Array;
  readonly serial: number;
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
  readonly minimum: number;
}

const HEADER_BYTES = 12;

/** Longest character string (RFC 1035 3.3). */
const MAX_STRING_BYTES = 255;

const encoder = new TextEncoder();

/**
 * Appends records in the order of the sections. Names are given uncompressed in wire form (`parseName`); they are written compressed where
 * every client must understand that: owners, and the rdata of RFC 1035 types (RFC 3597 section 4). Each `add` returns false when the record
 * did not fit; it is then left out whole, as is everything added after it. What is no wire form, or out of order, throws.
 */
export class MessageBuilder {
  /** Class of the records that the typed methods add; IN after `begin`. */
  rrclass: number = RRClass.IN;
  #out: Uint8Array = new Uint8Array(0);
  #end = 0;
  #pos = 0;
  /** Where the record in hand starts and where its RDLENGTH is. */
  #start = 0;
  #lengthAt = 0;
  #section: Section = Section.ANSWER;
  #isFull = false;
  readonly #names = new NameTable();
  #namesBefore = 0;

  /**
   * Starts behind `length` bytes of `out` that hold a header and at most one question, and may use `out` up to `end`. The section counts
   * in the header become those of the records added. `out` is borrowed until the last record is added.
   */
  begin(out: Uint8Array, length: number, end = out.length): void {
    this.#out = out;
    this.#end = Math.min(end, out.length);
    this.#pos = length;
    this.#section = Section.ANSWER;
    this.#isFull = false;
    this.rrclass = RRClass.IN;
    this.#names.clear();
    for (let i = 6; i < HEADER_BYTES; i++) out[i] = 0;
    if (out[5] !== 1) return;
    const names = this.#names;
    const labels = names.load(out, HEADER_BYTES, length);
    for (let i = 0; i < labels; i++) names.remember(i, names.labels[i]!);
  }

  /** Bytes of the message so far. */
  get length(): number {
    return this.#pos;
  }

  /** A record did not fit. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Adds a record of any type; `rdata` holds no compressed names. */
  addRecord(
    section: Section,
    owner: Uint8Array,
    type: number,
    rrclass: number,
    ttl: number,
    rdata: Uint8Array,
  ): boolean {
    this.#open(section, owner, type, rrclass, ttl);
    let at = 0;
    const names = rdataNames(type);
    if (names > 0) {
      at = firstRdataName(rdata, type, 0, rdata.length);
      if (at < 0) throw new NameError(`rdata of type ${type} is too short`);
      this.#putBytes(rdata, 0, at);
      for (let i = 0; i < names; i++) at = this.#putName(rdata, at, isCompressible(type));
    }
    this.#putBytes(rdata, at, rdata.length);
    return this.#close();
  }

  /** `address` is 4 bytes. */
  addA(section: Section, owner: Uint8Array, ttl: number, address: Uint8Array): boolean {
    return this.addRecord(section, owner, RRType.A, this.rrclass, ttl, address);
  }

  /** `address` is 16 bytes. */
  addAaaa(section: Section, owner: Uint8Array, ttl: number, address: Uint8Array): boolean {
    return this.addRecord(section, owner, RRType.AAAA, this.rrclass, ttl, address);
  }

  addCname(section: Section, owner: Uint8Array, ttl: number, target: Uint8Array): boolean {
    return this.addRecord(section, owner, RRType.CNAME, this.rrclass, ttl, target);
  }

  addNs(section: Section, owner: Uint8Array, ttl: number, server: Uint8Array): boolean {
    return this.addRecord(section, owner, RRType.NS, this.rrclass, ttl, server);
  }

  addPtr(section: Section, owner: Uint8Array, ttl: number, target: Uint8Array): boolean {
    return this.addRecord(section, owner, RRType.PTR, this.rrclass, ttl, target);
  }

  addMx(
    section: Section,
    owner: Uint8Array,
    ttl: number,
    preference: number,
    exchange: Uint8Array,
  ): boolean {
    this.#open(section, owner, RRType.MX, this.rrclass, ttl);
    this.#putUint16(preference);
    this.#putName(exchange, 0);
    return this.#close();
  }

  /** The target is written uncompressed (RFC 2782), but others may point to it. */
  addSrv(section: Section, owner: Uint8Array, ttl: number, srv: SrvData): boolean {
    this.#open(section, owner, RRType.SRV, this.rrclass, ttl);
    this.#putUint16(srv.priority);
    this.#putUint16(srv.weight);
    this.#putUint16(srv.port);
    this.#putName(srv.target, 0, false);
    return this.#close();
  }

  addSoa(section: Section, owner: Uint8Array, ttl: number, soa: SoaData): boolean {
    this.#open(section, owner, RRType.SOA, this.rrclass, ttl);
    this.#putName(soa.mname, 0);
    this.#putName(soa.rname, 0);
    this.#putUint32(soa.serial);
    this.#putUint32(soa.refresh);
    this.#putUint32(soa.retry);
    this.#putUint32(soa.expire);
    this.#putUint32(soa.minimum);
    return this.#close();
  }

  /** Each text becomes a character string, one over 255 bytes several. Without any an empty one is written: TXT needs one. */
  addTxt(section: Section, owner: Uint8Array, ttl: number, ...texts: readonly string[]): boolean {
    this.#open(section, owner, RRType.TXT, this.rrclass, ttl);
    if (texts.length === 0) this.#putByte(0);
    for (const text of texts) {
      const bytes = encoder.encode(text);
      let at = 0;
      do {
        const end = Math.min(at + MAX_STRING_BYTES, bytes.length);
        this.#putByte(end - at);
        this.#putBytes(bytes, at, end);
        at = end;
      } while (at < bytes.length);
    }
    return this.#close();
  }

  #open(section: Section, owner: Uint8Array, type: number, rrclass: number, ttl: number): void {
    if (section < this.#section) throw new RangeError('records are added in the order of sections');
    this.#section = section;
    this.#start = this.#pos;
    this.#namesBefore = this.#names.count;
    this.#putName(owner, 0);
    this.#putUint16(type);
    this.#putUint16(rrclass);
    this.#putUint32(ttl);
    this.#lengthAt = this.#pos;
    this.#putUint16(0);
  }

  /** Ends the record in hand: counts it, or forgets it when it did not fit. */
  #close(): boolean {
    const rdlength = this.#pos - this.#lengthAt - 2;
    if (this.#isFull || rdlength > 0xffff) {
      this.#isFull = true;
      this.#pos = this.#start;
      this.#names.forget(this.#namesBefore);
      return false;
    }
    const out = this.#out;
    out[this.#lengthAt] = rdlength >> 8;
    out[this.#lengthAt + 1] = rdlength & 255;
    const countAt = 6 + 2 * this.#section;
    const count = ((out[countAt]! << 8) | out[countAt + 1]!) + 1;
    out[countAt] = count >> 8;
    out[countAt + 1] = count & 255;
    return true;
  }

  #putByte(value: number): void {
    if (this.#pos >= this.#end) this.#isFull = true;
    else this.#out[this.#pos++] = value;
  }

  #putUint16(value: number): void {
    this.#putByte(value >> 8);
    this.#putByte(value & 255);
  }

  #putUint32(value: number): void {
    this.#putUint16(value >>> 16);
    this.#putUint16(value & 0xffff);
  }

  #putBytes(from: Uint8Array, start: number, end: number): void {
    if (this.#pos + end - start > this.#end) {
      this.#isFull = true;
      return;
    }
    for (let i = start; i < end; i++) this.#out[this.#pos++] = from[i]!;
  }

  /**
   * Writes the name at `at`, its tail as a pointer when the message has it already and it may be `compressed`; in any case names behind it may point
   * into it. Returns the offset just past it in `name`.
   */
  #putName(name: Uint8Array, at: number, compressed = true): number {
    const names = this.#names;
    const labels = names.load(name, at, name.length);
    let own = 0;
    let offset = 0;
    while (own < labels) {
      offset = names.find(own, name, this.#out);
      if (offset !== 0) break;
      own++;
    }
    const start = this.#pos;
    const isWhole = offset === 0 || !compressed;
    this.#putBytes(name, at, isWhole ? names.end : names.labels[own]!);
    if (!isWhole) this.#putUint16(0xc000 | offset);
    for (let i = 0; i < own && !this.#isFull; i++) {
      names.remember(i, start + names.labels[i]! - at);
    }
    return names.end;
  }
}

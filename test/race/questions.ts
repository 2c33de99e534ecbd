// What the clients ask: popular names and rare ones of every kind, in any case, for networks, with and without EDNS, DO, CD, RD; now and then many times the same.
import { createRandom, zipfDraw } from '../../bench/lib/draw.js';
import type { Asked } from './check.js';
import { KINDS, type KindLetter, type Name, nameOf, wireOf } from './names.js';
import { nowMs } from './stamp.js';
import { type Network, NO_NETWORK, TYPE } from './world.js';

export interface QuestionOptions {
  readonly seed: number;
  readonly zones: readonly string[];
  /** Names of each kind and zone. */
  readonly names: number;
  readonly exponent: number;
  /** Part of the questions for names that nobody asked for before, which do not exist. */
  readonly random: number;
}

/** A question that is the same for several clients, but for id and case. */
export type Draft = Omit<Asked, 'wire' | 'sentMs' | 'tcp' | 'limit'> & {
  readonly udpLimit: number;
};

const DRAWN = 1 << 18;
/** Part of the draws that begin a burst, and how long it is at most. */
const BURST = 0.004;
const MAX_BURST = 200;
const TYPES = [TYPE.A, TYPE.A, TYPE.AAAA, TYPE.AAAA, TYPE.TXT];
const UDP_SIZES = [512, 1232, 1232, 4096];
const PLAIN_LIMIT = 512;
const TCP_LIMIT = 65_535;
/** Bits of a network that *ecs* tells at most. */
const TOLD = { 1: 24, 2: 56 } as const;

export class Questions {
  readonly #random: () => number;
  readonly #options: QuestionOptions;
  readonly #kinds: readonly KindLetter[];
  readonly #indices: Uint32Array;
  #at = 0;
  #burst: Draft | undefined;
  #burstLeft = 0;
  #unknown = 0;

  constructor(options: QuestionOptions) {
    this.#options = options;
    this.#random = createRandom(options.seed);
    this.#kinds = Object.entries(KINDS).flatMap(([kind, parts]) =>
      Array<KindLetter>(parts).fill(kind as KindLetter),
    );
    this.#indices = zipfDraw(options.names, options.exponent, options.seed, DRAWN);
  }

  /** The next question. */
  next(): Draft {
    if (this.#burstLeft > 0) {
      this.#burstLeft--;
      return this.#burst as Draft;
    }
    const draft = this.#draw();
    if (this.#random() < BURST) {
      this.#burst = draft;
      this.#burstLeft = Math.floor(this.#random() * MAX_BURST);
    }
    return draft;
  }

  /** The question as one client sends it. */
  ask(draft: Draft, id: number, tcp: boolean): Asked {
    const wire = queryOf(draft, this.#random);
    wire.writeUInt16BE(id, 0);
    const limit = tcp ? TCP_LIMIT : draft.udpLimit;
    return { ...draft, wire, limit, tcp, sentMs: nowMs() };
  }

  /** A name that is popular. */
  popular(): string {
    return this.#text(
      this.#pick(this.#kinds),
      this.#pick(this.#options.zones),
      this.#pick([0, 1, 2, 3]),
    );
  }

  #draw(): Draft {
    const random = this.#random;
    const name = nameOf(wireOf(this.#name()));
    const hasOpt = random() < 0.75;
    const network = hasOpt && random() < 0.35 ? this.#network() : undefined;
    const udpLimit = hasOpt ? this.#pick(UDP_SIZES) : PLAIN_LIMIT;
    const questionEnd = 12 + name.wire.length + 4;
    return {
      name,
      qtype: this.#pick(TYPES),
      questionEnd,
      hasOpt,
      dnssec: hasOpt && random() < 0.25,
      cd: random() < 0.02,
      rd: random() < 0.99,
      ad: random() < 0.3,
      udpLimit,
      ecs: network === undefined ? undefined : subnet(network),
      told: told(network),
    };
  }

  #name(): string {
    const { zones, random } = this.#options;
    const zone = this.#pick(zones);
    if (this.#random() < random) return `r${this.#options.seed}-${this.#unknown++}.n-flood.${zone}`;
    return this.#text(
      this.#pick(this.#kinds),
      zone,
      this.#indices[this.#at++ & (DRAWN - 1)] as number,
    );
  }

  /** Every fifth name is long, and every second one that does not exist is below another one. */
  #text(kind: KindLetter, zone: string, index: number): string {
    const name = `${kind}${index}.${zone}`;
    if (kind === 'n' && index % 2 === 1) return `below${index}.w.${kind}${index - 1}.${zone}`;
    if (kind === 'c' || kind === 'z' || index % 5 !== 4) return name;
    const labels = 1 + (index % 4);
    return `${Array<string>(labels)
      .fill('x'.repeat(40 + (index % 17)))
      .join('.')}.${name}`;
  }

  #network(): Network {
    const random = this.#random;
    const draw = random();
    if (draw < 0.05) return { family: 1, source: 0, address: new Uint8Array(0) };
    if (draw < 0.1) return masked(1, 24, [192, 168, 1, 7]);
    const step = (n: number): number => Math.floor(random() * n);
    if (draw < 0.75)
      return masked(1, this.#pick([24, 24, 24, 32, 20, 16]), [
        20,
        step(3),
        step(3) * 16,
        step(256),
      ]);
    const address = [0x20, 0x01, 0x0d, 0xb8, 0, step(3), step(3), step(2), ...Array(8).fill(1)];
    return masked(2, this.#pick([56, 56, 48, 64, 40]), address);
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }
}

function masked(family: number, source: number, address: readonly number[]): Network {
  const bytes = Uint8Array.from({ length: (source + 7) >> 3 }, (_, i) => address[i] ?? 0);
  const last = bytes.length - 1;
  if ((source & 7) !== 0) bytes[last] = (bytes[last] as number) & (0xff << (8 - (source & 7)));
  return { family, source, address: bytes };
}

function subnet({ family, source, address }: Network): Buffer {
  return Buffer.from([0, family, source, 0, ...address]);
}

/** What *ecs* makes of it: private networks and lengths of 0 are not told. */
function told(network: Network | undefined): Network {
  if (network === undefined || network.source === 0 || network.address[0] === 192)
    return NO_NETWORK;
  const { family, source, address } = network;
  return masked(family, Math.min(source, TOLD[family as 1 | 2]), [...address]);
}

/** The message, its name in a case of its own. */
function queryOf(draft: Draft, random: () => number): Buffer {
  const { name, hasOpt, ecs, questionEnd } = draft;
  const options = ecs === undefined ? 0 : 4 + ecs.length;
  const wire = Buffer.alloc(questionEnd + (hasOpt ? 11 + options : 0));
  wire[2] = draft.rd ? 1 : 0;
  wire[3] = (draft.ad ? 0x20 : 0) | (draft.cd ? 0x10 : 0);
  wire[5] = 1;
  respell(name, wire, random);
  wire.writeUInt16BE(draft.qtype, questionEnd - 4);
  wire.writeUInt16BE(1, questionEnd - 2);
  if (!hasOpt) return wire;
  wire[11] = 1;
  wire.writeUInt16BE(41, questionEnd + 1);
  wire.writeUInt16BE(draft.udpLimit, questionEnd + 3);
  if (draft.dnssec) wire[questionEnd + 7] = 0x80;
  wire.writeUInt16BE(options, questionEnd + 9);
  if (ecs === undefined) return wire;
  wire.writeUInt16BE(8, questionEnd + 11);
  wire.writeUInt16BE(ecs.length, questionEnd + 13);
  wire.set(ecs, questionEnd + 15);
  return wire;
}

function respell(name: Name, wire: Buffer, random: () => number): void {
  wire.set(name.wire, 12);
  let bits = Math.floor(random() * 0x40000000);
  for (let o = 0; name.wire[o] !== 0; o += (name.wire[o] as number) + 1) {
    for (let i = o + 1; i <= o + (name.wire[o] as number); i++) {
      const byte = name.wire[i] as number;
      bits = (bits << 1) | (bits >>> 29);
      if (byte >= 0x61 && byte <= 0x7a && (bits & 1) !== 0) wire[12 + i] = byte - 32;
    }
  }
}

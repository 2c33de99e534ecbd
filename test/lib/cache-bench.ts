// *cache* in front of an upstream that answers as the test says, with time and memory of a server.
import type { Packet } from 'dns-packet';
import {
  type Answer,
  type BlockInfo,
  DnsError,
  type Next,
  type Query,
  Rcode,
  Reply,
  RRClass,
  RRType,
  Section,
  TIMERS,
} from '../../core/plugin.js';
import {
  ask,
  type DecodedReply,
  FakeClock,
  type FakeCommands,
  type FakeMetrics,
  FakeTimers,
  fakeServices,
  makeQuery,
  parseDirective,
  type QueryOptions,
  replyFrom,
} from '../../core/testing.js';
import { CacheHandler } from '../../plugins/cache/cache.js';
import { CacheControl } from '../../plugins/cache/control.js';
import type { CacheMemory } from '../../plugins/cache/options.js';
import cache, { optionsOf, sizesOf } from '../../plugins/cache/setup.js';
import type { CacheConfig } from '../../plugins/cache/syntax.js';
import negative from '../../plugins/negative/setup.js';
import prefetch from '../../plugins/prefetch/setup.js';

/** Time of day that signatures are judged by. */
export const WALL_SECONDS = 1_700_000_000;

/** What the upstream says to a query: a packet, or a reply of the test's own making. */
export type Says = (q: Query) => Packet | Answer;

export interface WorkerOptions {
  readonly block?: Partial<BlockInfo>;
  readonly worker?: number;
  readonly workers?: number;
  /** Milliseconds since 1970 at a time of the clock; WALL_SECONDS at all times otherwise. */
  wallMs?(nowMs: number): number;
}

/** A block whose *negative* says this. */
export function withNegative(text = 'negative'): WorkerOptions {
  return { block: { parts: new Map([['negative', parseDirective(negative, text)[0]]]) } };
}

/** The time of day at which a bench with a *prefetch* begins: midnight, and the beginning of a period. */
export const MIDNIGHT_MS = Date.UTC(2026, 0, 5);

/** A block whose *prefetch* says this, with a time of day that goes on. */
export function withPrefetch(text = 'prefetch'): WorkerOptions {
  const [config] = parseDirective(prefetch, text);
  const startMs = new FakeClock().nowMs;
  return {
    block: { parts: new Map([['prefetch', config]]) },
    wallMs: (nowMs) => MIDNIGHT_MS + nowMs - startMs,
  };
}

/** One cache, its main-thread part and one worker; `another` makes more workers. */
export class CacheBench {
  readonly clock: FakeClock;
  readonly timers: FakeTimers;
  readonly metrics: FakeMetrics;
  readonly control: CacheControl;
  readonly controlMetrics: FakeMetrics;
  /** Commands of the main-thread part. */
  readonly commands: FakeCommands;
  readonly lines: readonly string[];
  readonly handler: CacheHandler;
  /** Queries that reached the upstream. */
  asked = 0;
  says: Says = (q) => ({ answers: [address(q, 300)] });
  readonly #config: CacheConfig;
  readonly #shared: { readonly clock: FakeClock; readonly control: CacheControl };

  constructor(text = 'cache', options: WorkerOptions = {}, from?: CacheBench) {
    this.#config = parseDirective(cache, text)[0] as CacheConfig;
    this.clock = from?.clock ?? new FakeClock();
    this.timers = new FakeTimers(this.clock);
    const control = fakeServices({ clock: this.clock, block: options.block ?? {} });
    this.controlMetrics = control.metrics;
    this.commands = from?.commands ?? control.commands;
    this.control =
      from?.control ??
      new CacheControl(sizesOf(this.#config, control.block.parts), this.#config.zones, control);
    this.#shared = { clock: this.clock, control: this.control };
    const services = fakeServices({
      clock: this.clock,
      block: options.block ?? {},
      worker: options.worker ?? 0,
      workers: options.workers ?? 1,
      tokens: [[TIMERS, this.timers]],
    });
    this.metrics = services.metrics;
    this.lines = services.lines;
    const memory: CacheMemory = this.#shared.control.published;
    this.handler = new CacheHandler(
      optionsOf(this.#config, services.block.parts),
      memory,
      services,
      () => options.wallMs?.(this.clock.nowMs) ?? WALL_SECONDS * 1000,
    );
    this.handler.onLink((q) => this.next(q));
  }

  /** The rest of the chain. */
  readonly next: Next = (q) => {
    this.asked++;
    const said = this.says(q);
    return said instanceof Reply || 'then' in said ? said : replyFrom(q, said);
  };

  /** What a client gets, finished and decoded. */
  ask(name = 'example.org', type = 'A', options: QueryOptions = {}): Promise<DecodedReply> {
    return this.askQuery(makeQuery(name, type, { receivedMs: this.clock.nowMs, ...options }));
  }

  askQuery(q: Query): Promise<DecodedReply> {
    return ask(this.handler, q, this.next);
  }

  /** Keeps an answer for each of so many names of their own, without a promise. */
  fill(entries: number): void {
    const q = makeQuery('name0000.example.net', 'A', { receivedMs: this.clock.nowMs });
    for (let n = 0; n < entries; n++) {
      for (let i = 0; i < FILL_LETTERS; i++) {
        const letter = 97 + ((n >> (3 * i)) & 7);
        q.folded[1 + i] = letter;
        q.wire[q.qnameOffset + 1 + i] = letter;
      }
      void this.handler.serve(q, oneAddress);
    }
  }

  advance(seconds: number): void {
    this.clock.advance(seconds * 1000);
  }

  count(name: string, type?: string): number {
    return this.metrics.value(name, type === undefined ? {} : { type });
  }
}

/** Letters of the first label that count. */
const FILL_LETTERS = 8;

const oneAddress: Next = (q) =>
  q.replyRecords(Rcode.NOERROR, (builder) => {
    const qname = q.wire.subarray(q.qnameOffset, q.qnameEnd);
    builder.addRecord(
      Section.ANSWER,
      qname,
      RRType.A,
      RRClass.IN,
      3600,
      Uint8Array.of(192, 0, 2, 1),
    );
  });

export const FAILURE = new DnsError('ERR_UPSTREAM_TIMEOUT');

type Record = NonNullable<Packet['answers']>[number];

export function a(name: string, ttl: number, address = '192.0.2.1'): Record {
  return { type: 'A', name, ttl, data: address };
}

/** What an upstream that knows every name answers: an address of the type asked for. */
function address(q: Query, ttl: number): Record {
  return q.qtype === RRType.AAAA
    ? { type: 'AAAA', name: q.qname, ttl, data: '2001:db8::1' }
    : a(q.qname, ttl);
}

export function cname(name: string, ttl: number, target: string): Record {
  return { type: 'CNAME', name, ttl, data: target };
}

export function ns(name: string, ttl: number, target = 'ns.example.net'): Record {
  return { type: 'NS', name, ttl, data: target };
}

export function soa(name: string, ttl: number, minimum: number): Record {
  const data = {
    mname: 'ns.example.net',
    rname: 'hostmaster.example.net',
    serial: 1,
    refresh: 3600,
    retry: 600,
    expire: 86_400,
    minimum,
  };
  return { type: 'SOA', name, ttl, data };
}

export function rrsig(name: string, ttl: number, inception: number, expiration: number): Record {
  const data = {
    typeCovered: 'A' as const,
    algorithm: 13,
    labels: 2,
    originalTTL: ttl,
    expiration,
    inception,
    keyTag: 1,
    signersName: name,
    signature: Buffer.alloc(64, 7),
  };
  return { type: 'RRSIG', name, ttl, data } as Record;
}

/** An OPT record with an extended error. */
export function opt(code?: number, text = ''): Record {
  const options =
    code === undefined
      ? []
      : [
          {
            code: 15,
            data: Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(text)]),
          },
        ];
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 1232,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options,
  } as unknown as Record;
}

export const NXDOMAIN = 3;
export const SERVFAIL = 2;

/** TTLs of a section. */
export function ttlsOf(
  reply: DecodedReply,
  section: 'answers' | 'authorities' | 'additionals' = 'answers',
): (number | undefined)[] {
  return (reply[section] as { ttl?: number }[] | undefined)?.map((r) => r.ttl) ?? [];
}

/** The one address in the answer section. */
export function addressOf(reply: DecodedReply): unknown {
  return (reply.answers as { data?: unknown }[] | undefined)?.[0]?.data;
}

/** Code and text of the extended errors of a reply. */
export function edesOf(reply: DecodedReply): (readonly [number, string])[] {
  const found = reply.additionals?.find((record) => record.type === 'OPT');
  const { options } = (found ?? { options: [] }) as unknown as {
    options: readonly { code: number; data: Buffer }[];
  };
  return options
    .filter((option) => option.code === 15)
    .map(({ data }) => [data.readUInt16BE(0), data.subarray(2).toString()]);
}

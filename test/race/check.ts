// Whether a reply is right: this client's own in every bit, and word for word what the upstream said for that question, network and time, at a time at which it may still be
// told. What is known of the upstream is in world.ts; nothing here is the server's code.

import type { Doubt } from './doubts.js';
import { nameAt, type ReadMessage, type ReadRr, readMessage } from './message.js';
import { type Name, nameAbove, textOf } from './names.js';
import { type Claims, readStamp, type Stamp } from './stamp.js';
import { SLACK_MS, Timing, type ZoneRules } from './timing.js';
import {
  failsWithin,
  type Network,
  RCODE,
  type Rr,
  type Said,
  say,
  stampOf,
  TYPE,
} from './world.js';

/** A query as a client sent it. */
export interface Asked {
  readonly name: Name;
  readonly qtype: number;
  readonly wire: Buffer;
  readonly questionEnd: number;
  readonly hasOpt: boolean;
  readonly dnssec: boolean;
  readonly cd: boolean;
  readonly rd: boolean;
  readonly ad: boolean;
  /** Longest reply: 512 without OPT, over TCP any. */
  readonly limit: number;
  readonly tcp: boolean;
  /** Data of the client subnet as sent. */
  readonly ecs: Buffer | undefined;
  /** The network that the upstream is told, family 0 for none. */
  readonly told: Network;
  readonly sentMs: number;
}

/** What a reply was; `problem` says what was wrong with it. */
export interface Verdict {
  readonly kind: string;
  readonly problem?: string;
  /** It is wrong unless there is a reason, then `problem` is none. */
  readonly doubt?: Doubt | undefined;
}

/** A reply that is right, or may be. */
interface Judged {
  readonly kind: string;
  readonly doubt?: { readonly of: Doubt; readonly problem: string };
}

const ECS = 8;
const EDE = 15;
const FLAG = {
  QR: 0x8000,
  OPCODE: 0x7800,
  AA: 0x400,
  TC: 0x200,
  RD: 0x100,
  Z: 0x40,
  AD: 0x20,
  CD: 0x10,
};
const STAMP_TEXT = /^[0-9a-f]{32}$/;
/** The server's own words, which are no mismatch where a zone has a limit. */
const OVER_LIMIT = 'too many unknown names in this zone';
/** A query waits no longer for *forward*. */
const GIVE_UP_MS = 10_000;

export class Checker {
  readonly #rules: ReadonlyMap<string, ZoneRules>;
  readonly timing = new Timing();

  constructor(rules: ReadonlyMap<string, ZoneRules>) {
    this.#rules = rules;
  }

  check(asked: Asked, wire: Buffer, receivedMs: number): Verdict {
    let message: ReadMessage | undefined;
    const tell = (problem: string): string => {
      const got = message === undefined ? wire.toString('hex') : describe(wire, message);
      return `${problem}\n    asked ${describeAsked(asked)}\n    got ${got}`;
    };
    try {
      message = readMessage(wire);
      const { kind, doubt } = this.#judge(asked, wire, message, receivedMs);
      return doubt === undefined
        ? { kind }
        : { kind, doubt: doubt.of, problem: tell(doubt.problem) };
    } catch (error) {
      return { kind: 'wrong', problem: tell((error as Error).message) };
    }
  }

  /** Throws what is wrong. */
  #judge(asked: Asked, wire: Buffer, message: ReadMessage, receivedMs: number): Judged {
    checkFrame(asked, wire, message);
    const rcode = message.flags & 15;
    const rules = this.#rules.get(asked.name.zone) as ZoneRules;
    const stamp = findStamp(asked.qtype, wire, message, rcode);
    if (stamp === undefined) {
      if ((message.flags & FLAG.TC) !== 0) {
        // RRsets that fit are there whole; of aliases only the last one's records have a stamp.
        const odd = message.rrs.find((rr) => rr.type !== TYPE.CNAME);
        if (odd !== undefined) throw new Error('cut to records without a stamp');
        return { kind: 'truncated' };
      }
      return this.#unsigned(asked, message, rcode, rules, receivedMs);
    }
    const name = nameAbove(asked.name, stamp.claims.labels);
    if (name === undefined) throw new Error(`an answer for ${stamp.claims.labels} labels`);
    if (name !== asked.name && rcode !== RCODE.NXDOMAIN)
      throw new Error('an answer for the name above');
    const said = this.#said(asked, name, stamp);
    checkNetwork(asked, stamp.claims, said.rcode);
    checkEcs(asked, message, stamp.claims.scope);
    if (said.rcode !== rcode) throw new Error(`rcode ${rcode}, the upstream said ${said.rcode}`);
    checkRecords(said.rrs, wire, message, asked);
    const mayAd = asked.dnssec || asked.ad;
    if (((message.flags & FLAG.AD) !== 0) !== (mayAd && said.ad)) throw new Error('AD is wrong');
    const timed = this.timing.check(asked, name, said, stamp, message, rules, receivedMs);
    const { isStale, needMs } = timed;
    checkErrors(asked, message, said, isStale);
    const kind = kindOf(said, name === asked.name, isStale);
    if (needMs <= SLACK_MS) return { kind };
    const of = { saidMs: stamp.saidMs, needMs };
    return { kind, doubt: { of, problem: `${needMs.toFixed(0)} ms older than it may be` } };
  }

  /** What the upstream said if this stamp is its own. */
  #said(asked: Asked, name: Name, stamp: Stamp): Said {
    const { claims, saidMs } = stamp;
    const want = stampOf(name, asked.qtype, claims, asked.told, saidMs);
    if (want.high !== stamp.high || want.low !== stamp.low) {
      throw new Error(
        `nothing that was said for this question and network: ${describeClaims(stamp)}`,
      );
    }
    if (claims.dnssec !== asked.dnssec) throw new Error('said for another DO bit');
    if (claims.cd !== asked.cd) throw new Error('said for another CD bit');
    if (claims.rd !== asked.rd) throw new Error('said for another RD bit');
    const said = say(name, asked.qtype, stamp);
    if (said === 'silence') throw new Error('said at a time of silence');
    return said;
  }

  /** A reply that the server made itself. */
  #unsigned(
    asked: Asked,
    message: ReadMessage,
    rcode: number,
    rules: ZoneRules,
    receivedMs: number,
  ): Judged {
    if (message.rrs.length > 0) throw new Error('records without a stamp');
    if (rcode !== RCODE.SERVFAIL && rcode !== RCODE.REFUSED) {
      throw new Error(`rcode ${rcode} without a stamp`);
    }
    const [ede] = errorsOf(message);
    const isLimit = rules.isLimited && (!asked.hasOpt || ede?.text === OVER_LIMIT);
    if (isLimit && rcode === RCODE.SERVFAIL) return { kind: 'limited' };
    const fromMs = asked.sentMs - rules.failureMs - GIVE_UP_MS;
    // Clients with EDNS get the upstream's own words of a failure that it told, or none when the copy of a stale answer was interrupted.
    const isTold = ede === undefined && 'vr'.includes(asked.name.kind);
    if (isTold && failsWithin(asked.name, fromMs, receivedMs)) return { kind: 'failure' };
    if (this.timing.isDisturbed(asked.sentMs, receivedMs)) return { kind: 'disturbed' };
    const problem = `rcode ${rcode} (${ede?.code} ${ede?.text}), but nothing failed`;
    const of = { name: textOf(asked.name.wire), fromMs, toMs: receivedMs };
    return { kind: 'failure', doubt: { of, problem } };
  }
}

/** Header, question, OPT and size: the client's own. */
function checkFrame(
  asked: Asked,
  wire: Buffer,
  { id, flags, questionEnd, opts }: ReadMessage,
): void {
  const sent = asked.wire;
  if (id !== sent.readUInt16BE(0)) throw new Error(`id ${id}`);
  if ((flags & FLAG.QR) === 0 || (flags & FLAG.OPCODE) !== 0)
    throw new Error('no reply to a query');
  if ((flags & FLAG.AA) !== 0) throw new Error('AA is set');
  if ((flags & FLAG.Z) !== 0) throw new Error('the reserved bit is set');
  if (((flags & FLAG.RD) !== 0) !== asked.rd) throw new Error('RD is not as sent');
  if (((flags & FLAG.CD) !== 0) !== asked.cd) throw new Error('CD is not as sent');
  if ((flags & FLAG.TC) !== 0 && asked.tcp) throw new Error('truncated over TCP');
  if (wire.length > asked.limit)
    throw new Error(`${wire.length} bytes, ${asked.limit} are allowed`);
  if (
    questionEnd !== asked.questionEnd ||
    wire.compare(sent, 12, questionEnd, 12, questionEnd) !== 0
  ) {
    throw new Error('the question is not as sent');
  }
  if (opts.length !== (asked.hasOpt ? 1 : 0)) throw new Error(`${opts.length} OPT records`);
  for (const { dnssec, version, options } of opts) {
    if (version !== 0) throw new Error(`EDNS version ${version}`);
    if (dnssec !== asked.dnssec) throw new Error('DO is not as sent');
    const odd = options.find(({ code }) => code !== ECS && code !== EDE);
    if (odd !== undefined) throw new Error(`option ${odd.code} was not asked for`);
    const back = options.filter(({ code }) => code === ECS);
    if (back.length !== (asked.ecs === undefined ? 0 : 1))
      throw new Error(`${back.length} client subnets`);
    for (const { data } of back) checkSubnet(asked.ecs as Buffer, data);
  }
}

/** Byte 3 is the scope. */
function checkSubnet(sent: Buffer, got: Buffer): void {
  if (
    got.length === sent.length &&
    got.compare(sent, 0, 3, 0, 3) === 0 &&
    got.compare(sent, 4, sent.length, 4) === 0
  )
    return;
  throw new Error(`client subnet ${got.toString('hex')} for ${sent.toString('hex')}`);
}

function checkEcs(asked: Asked, { opts }: ReadMessage, scope: number): void {
  if (asked.ecs === undefined) return;
  const want = asked.told.family === 0 ? 0 : scope;
  const got = opts[0]?.options.find(({ code }) => code === ECS)?.data[3];
  if (got !== want) throw new Error(`scope ${got}, want ${want}`);
}

/** The stamp of a reply to a question of this type; undefined when it has none. */
export function findStamp(
  qtype: number,
  wire: Buffer,
  message: ReadMessage,
  rcode: number,
): Stamp | undefined {
  if (rcode === RCODE.SERVFAIL || rcode === RCODE.REFUSED) {
    const ede = errorsOf(message).find(({ text }) => STAMP_TEXT.test(text));
    return ede === undefined ? undefined : readStamp(Buffer.from(ede.text, 'hex'));
  }
  const { rrs } = message;
  const answer = rrs.findIndex((rr) => rr.section === 0 && rr.type === qtype);
  if (answer >= 0) return stampInAnswer(qtype, wire, rrs, answer);
  const soa = rrs.find((rr) => rr.section === 1 && rr.type === TYPE.SOA);
  if (soa !== undefined) return stampAt(wire, soa.dataAt + 2, soa);
  const ns = rrs.find((rr) => rr.section === 1 && rr.type === TYPE.NS);
  if (ns === undefined) return undefined;
  const label = textOf(nameAt(wire, ns.dataAt)).split('.')[0] ?? '';
  if (!STAMP_TEXT.test(label)) throw new Error('a name server without a stamp');
  return readStamp(Buffer.from(label, 'hex'));
}

function stampInAnswer(qtype: number, wire: Buffer, rrs: readonly ReadRr[], at: number): Stamp {
  const first = rrs[at] as ReadRr;
  if (qtype === TYPE.TXT) return stampAt(wire, first.dataAt + 1, first);
  if (qtype !== TYPE.A) return stampAt(wire, first.dataAt, first);
  const four = rrs.slice(at, at + 4).map((rr) => wire.subarray(rr.dataAt, rr.dataEnd));
  const bytes = Buffer.concat(four);
  if (bytes.length !== 16) throw new Error('addresses without a stamp');
  return readStamp(bytes);
}

function stampAt(wire: Buffer, at: number, rr: ReadRr): Stamp {
  if (rr.dataEnd < at + 16) throw new Error('data without a stamp');
  return readStamp(wire.subarray(at, at + 16));
}

/** Whether what was said for one network may be told to this client (RFC 7871 7.3.1). */
function checkNetwork({ told, name }: Asked, claims: Claims, rcode: number): void {
  const { family, source, scope } = claims;
  const isFailure = rcode === RCODE.SERVFAIL || rcode === RCODE.REFUSED;
  if (family === 0) {
    // The upstream was asked again without one when it refused the network.
    if (told.family !== 0 && !'jr'.includes(name.kind)) throw new Error('said for no network');
    return;
  }
  if (scope === 0) return;
  if (told.family !== family) throw new Error('said for a network');
  if (scope > source && !isFailure) {
    if (told.source !== source) throw new Error(`said for ${source} bits of which ${scope} count`);
  } else if (scope > told.source) {
    throw new Error(`said for a network of ${scope} bits`);
  }
}

/** The records one by one, in the order they were said. Over UDP additional ones may be left out, with TC all from one on. */
function checkRecords(said: readonly Rr[], wire: Buffer, message: ReadMessage, asked: Asked): void {
  const { rrs, flags } = message;
  for (const [i, got] of rrs.entries()) {
    const want = said[i];
    if (want === undefined) throw new Error(`${rrs.length} records, ${said.length} were said`);
    const problem = compareRr(want, wire, got);
    if (problem !== '') throw new Error(`record ${i} (type ${got.type}): ${problem}`);
  }
  const next = said[rrs.length];
  if (next === undefined) return;
  const isAllowed = !asked.tcp && ((flags & FLAG.TC) !== 0 || next.section === 2);
  if (!isAllowed) throw new Error(`${rrs.length} records, ${said.length} were said`);
}

function compareRr(want: Rr, wire: Buffer, got: ReadRr): string {
  if (want.type !== got.type) return `want type ${want.type}`;
  if (want.section !== got.section) return `section ${got.section}, want ${want.section}`;
  if (got.owner.compare(want.owner) !== 0)
    return `owner ${textOf(got.owner)}, want ${textOf(want.owner)}`;
  if (want.target !== undefined) {
    const target = nameAt(wire, got.dataAt);
    return target.compare(want.target) === 0 ? '' : `target ${textOf(target)}`;
  }
  const data = wire.subarray(got.dataAt, got.dataEnd);
  if (data.compare(want.data) === 0) return '';
  return `data ${data.toString('hex')}, want ${Buffer.from(want.data).toString('hex')}`;
}

/** Extended errors: what the upstream said, or of a stale answer that it is one. */
function checkErrors(asked: Asked, message: ReadMessage, said: Said, isStale: boolean): void {
  if (!asked.hasOpt) return;
  const errors = errorsOf(message);
  const code = isStale ? (said.rcode === RCODE.NXDOMAIN ? 19 : 3) : said.ede;
  const text = isStale ? '' : said.edeText;
  if (code < 0) {
    if (errors.length > 0) throw new Error(`extended error ${errors[0]?.code}`);
    return;
  }
  const [error] = errors;
  // Text goes before records do (RFC 8914 section 3).
  const isText = error?.text === text || (error?.text === '' && !asked.tcp);
  if (errors.length !== 1 || error?.code !== code || !isText) {
    throw new Error(`extended error ${error?.code} ${error?.text}, want ${code} ${text}`);
  }
}

export function errorsOf({ opts }: ReadMessage): { code: number; text: string }[] {
  return (opts[0]?.options ?? [])
    .filter(({ code, data }) => code === EDE && data.length >= 2)
    .map(({ data }) => ({ code: data.readUInt16BE(0), text: data.toString('latin1', 2) }));
}

function kindOf(said: Said, isOwn: boolean, isStale: boolean): string {
  if (isStale) return said.rcode === RCODE.NXDOMAIN ? 'stale nxdomain' : 'stale';
  if (said.rcode === RCODE.NXDOMAIN) return isOwn ? 'nxdomain' : 'nxdomain by the name above';
  if (said.rcode !== RCODE.NOERROR) return 'failure';
  if (said.rrs[0]?.type === TYPE.SOA) return 'nodata';
  return said.rrs[0]?.type === TYPE.NS ? 'referral' : 'answer';
}

function describeAsked(asked: Asked): string {
  const bits = [
    asked.dnssec && 'DO',
    asked.cd && 'CD',
    asked.rd && 'RD',
    asked.ad && 'AD',
    asked.hasOpt && `EDNS ${asked.limit}`,
    asked.tcp ? 'TCP' : 'UDP',
    asked.ecs !== undefined && `subnet ${asked.ecs.toString('hex')}`,
  ].filter((text) => text !== false);
  return `${textOf(asked.name.wire)} ${asked.qtype} ${bits.join(' ')} at ${asked.sentMs.toFixed(0)}`;
}

function describe(wire: Buffer, { flags, rrs }: ReadMessage): string {
  const ttls = rrs.map((rr) => `${rr.type}:${rr.ttl}`).join(' ');
  return `flags ${flags.toString(16)}, types and TTLs ${ttls}\n    ${wire.toString('hex')}`;
}

function describeClaims({ saidMs, claims }: Stamp): string {
  return `${saidMs} ${JSON.stringify(claims)}`;
}

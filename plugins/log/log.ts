// Writes a line for each reply that a rule asks for. Told of replies after they are sent, so no query waits for it.
import {
  type Handler,
  type Logger,
  parseName,
  type Query,
  Rcode,
  type Reply,
  RRType,
} from '../../core/plugin.js';
import type { Format } from './format.js';

/** What became of a query, as bits of a set. */
export const ReplyClass = { success: 1, denial: 2, error: 4, all: 7 } as const;
export type ReplyClass = keyof typeof ReplyClass;

/** For one name: which replies are written, and how. */
export interface Rule {
  readonly name: string;
  /** Set of `ReplyClass` bits. */
  readonly classes: number;
  readonly format: Format;
}

/** A rule with its name in lower-case wire form. */
interface WireRule {
  readonly name: Uint8Array;
  readonly classes: number;
  readonly format: Format;
}

/** The first rule whose name covers the query name decides. */
export function logHandler(rules: readonly Rule[], log: Logger): Handler {
  const wireRules: WireRule[] = rules.map((rule) => ({
    ...rule,
    name: parseName(rule.name.toLowerCase()),
  }));
  return {
    serve: (q, next) => next(q),
    observe(q, reply) {
      for (let i = 0; i < wireRules.length; i++) {
        const rule = wireRules[i] as WireRule;
        if (!covers(rule.name, q)) continue;
        if (rule.classes === ReplyClass.all || (rule.classes & classOf(reply)) !== 0) {
          log.line(rule.format(q, reply));
        }
        return;
      }
    },
  };
}

/** Whether the query name is `name` or below it. */
function covers(name: Uint8Array, q: Query): boolean {
  const folded = q.folded;
  const start = q.qnameEnd - q.qnameOffset - name.length;
  if (start < 0) return false;
  for (let i = 0; i < name.length; i++) if (folded[start + i] !== name[i]) return false;
  // The same bytes may end a longer label: `xexample.org` is not below `example.org`.
  let o = 0;
  while (o < start) o += (folded[o] as number) + 1;
  return o === start;
}

function classOf(reply: Reply): number {
  if (reply.rcode === Rcode.NXDOMAIN) return ReplyClass.denial;
  if (reply.rcode !== Rcode.NOERROR) return ReplyClass.error;
  const hasAnswers = reply.wire[6] !== 0 || reply.wire[7] !== 0;
  return !hasAnswers && isNodata(reply) ? ReplyClass.denial : ReplyClass.success;
}

/** RFC 2308 section 2.2: NODATA has an SOA record in its authority section; without one it is a referral or cannot be told apart. */
function isNodata(reply: Reply): boolean {
  const layout = reply.layout;
  if (!layout.isValid) return false;
  const end = layout.answers + layout.authorities;
  for (let i = layout.answers; i < end; i++) {
    const at = layout.types[i] as number;
    const type = ((reply.wire[at] as number) << 8) | (reply.wire[at + 1] as number);
    if (type === RRType.SOA) return true;
  }
  return false;
}

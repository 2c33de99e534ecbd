// Writes a line for each reply that a rule asks for. Told of replies after they are sent, so no query waits for it.
import {
  type Handler,
  type Logger,
  Rcode,
  type Reply,
  RRType,
  ZoneSet,
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

/** A rule with its name as a set of one. */
interface ZoneRule {
  readonly zone: ZoneSet;
  readonly classes: number;
  readonly format: Format;
}

/** The first rule whose name covers the query name decides. */
export function logHandler(rules: readonly Rule[], log: Logger): Handler {
  const zoneRules: ZoneRule[] = rules.map((rule) => ({
    ...rule,
    zone: new ZoneSet([rule.name]),
  }));
  return {
    serve: (q, next) => next(q),
    observe(q, reply) {
      for (let i = 0; i < zoneRules.length; i++) {
        const rule = zoneRules[i] as ZoneRule;
        if (!rule.zone.covers(q)) continue;
        if (rule.classes === ReplyClass.all || (rule.classes & classOf(reply)) !== 0) {
          log.line(rule.format(q, reply));
        }
        return;
      }
    },
  };
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

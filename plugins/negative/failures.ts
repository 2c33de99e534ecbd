// Hot path for misses. Which failures are kept, and for how long (RFC 9520).
import { type ErrorCode, Rcode, type Reply } from '../../core/plugin.js';

/** RFC 9520 section 3.2: where nothing is said, from a second up to five minutes. */
const MIN_MS = 1000;
const MAX_MS = 300_000;

/** What came of asking upstream. Other errors are about this server: a limit, a stop, nobody to ask. */
const UPSTREAM_ERRORS: readonly ErrorCode[] = [
  'ERR_UPSTREAM_TIMEOUT',
  'ERR_UPSTREAM_NETWORK',
  'ERR_UPSTREAM_ANSWER',
];

export interface FailureOptions {
  /** How long the first failure of a question is kept. */
  readonly minMs: number;
  /** Each further one is kept twice as long as the one before, up to this. */
  readonly maxMs: number;
  /** REFUSED is kept too, and that no upstream answered; else SERVFAIL and NOTIMP alone. */
  readonly isForAll: boolean;
}

/** RFC 9520 in full. */
export const ALL_FAILURES: FailureOptions = { minMs: MIN_MS, maxMs: MAX_MS, isForAll: true };

/** SERVFAIL and NOTIMP, always for the same time, as CoreDNS has it. */
export function onlyServfail(ms: number): FailureOptions {
  return { minMs: ms, maxMs: ms, isForAll: false };
}

/** Whether this failure is one to be kept. */
export function isKeptFailure(reply: Reply, options: FailureOptions): boolean {
  if (reply.error !== undefined) {
    return options.isForAll && UPSTREAM_ERRORS.includes(reply.error.code);
  }
  return options.isForAll || reply.rcode !== Rcode.REFUSED;
}

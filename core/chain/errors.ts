// Every runtime error the server can answer with: code, text, rcode and extended error in one table.
import { Ede, Rcode } from '../wire/constants.js';

/** An error with the rcode and extended error (RFC 8914) a client gets for it. Code branches on `code`, never on text. */
export class DnsError extends Error {
  readonly code: ErrorCode;
  readonly rcode: number;
  /** Extended error code, -1 for none. */
  readonly ede: number;
  readonly edeText: string;

  /** `detail` completes the table's text for the log; clients see only the table's own extended-error text. */
  constructor(code: ErrorCode, detail = '') {
    const row = ERRORS[code];
    super(detail === '' ? row.text : `${row.text}: ${detail}`);
    this.code = code;
    this.rcode = row.rcode;
    this.ede = row.ede;
    this.edeText = row.edeText;
  }
}

export const ERRORS = {
  ERR_PLUGIN_FAULT: {
    text: 'fault in a plugin',
    rcode: Rcode.SERVFAIL,
    ede: Ede.OTHER,
    edeText: 'internal error',
  },
  ERR_QUERY_TIMEOUT: {
    text: 'no plugin answered in time',
    rcode: Rcode.SERVFAIL,
    ede: Ede.OTHER,
    edeText: 'time limit reached',
  },
  ERR_OVERLOAD: {
    text: 'too many queries in flight',
    rcode: Rcode.SERVFAIL,
    ede: Ede.OTHER,
    edeText: 'overloaded',
  },
  ERR_UPSTREAM_TIMEOUT: {
    text: 'upstream did not answer in time',
    rcode: Rcode.SERVFAIL,
    ede: Ede.NO_REACHABLE_AUTHORITY,
    edeText: 'upstream timed out',
  },
  ERR_UPSTREAM_NETWORK: {
    text: 'upstream not reachable',
    rcode: Rcode.SERVFAIL,
    ede: Ede.NETWORK_ERROR,
    edeText: 'upstream not reachable',
  },
  ERR_UPSTREAM_ANSWER: {
    text: 'upstream sent a malformed or mismatched message',
    rcode: Rcode.SERVFAIL,
    ede: Ede.INVALID_DATA,
    edeText: 'upstream sent an unusable message',
  },
  ERR_UPSTREAM_LOOP: {
    text: 'forwarding loop',
    rcode: Rcode.SERVFAIL,
    ede: Ede.NO_REACHABLE_AUTHORITY,
    edeText: 'forwarding loop',
  },
  ERR_NO_UPSTREAM: {
    text: 'no healthy upstream',
    rcode: Rcode.SERVFAIL,
    ede: Ede.NO_REACHABLE_AUTHORITY,
    edeText: 'no upstream reachable',
  },
  ERR_UPSTREAM_LIMIT: {
    text: 'too many concurrent queries',
    rcode: Rcode.REFUSED,
    ede: Ede.OTHER,
    edeText: 'concurrent query limit reached',
  },
  ERR_WAITERS_LIMIT: {
    text: 'too many clients wait for one question',
    rcode: Rcode.SERVFAIL,
    ede: Ede.OTHER,
    edeText: 'too many waiters',
  },
} as const satisfies Record<
  string,
  { readonly text: string; readonly rcode: number; readonly ede: number; readonly edeText: string }
>;

export type ErrorCode = keyof typeof ERRORS;

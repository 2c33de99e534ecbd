// Hot path. Counts how often the probe comes by, and answers in place of upstreams that lead back here.
import {
  type Answer,
  DnsError,
  type Handler,
  type Next,
  type Query,
  Rcode,
  RRType,
} from '../../core/plugin.js';
import { State, type Watch } from './watch.js';

/** A probe that came by more often than this is in a loop: once when it is sent, once more where a client's retry crosses it (CoreDNS's). */
export const MOST_SEEN = 2;

const LOOPING = new DnsError('ERR_UPSTREAM_LOOP', 'the upstreams lead back to this server');

export class LoopHandler implements Handler {
  readonly #watch: Watch;

  constructor(watch: Watch) {
    this.#watch = watch;
  }

  serve(q: Query, next: Next): Answer {
    const { state } = this.#watch;
    if (state === State.QUIET) return next(q);
    const seen = q.qtype === RRType.HINFO ? this.#watch.count(q) : 0;
    if (seen > MOST_SEEN) return q.replyRcode(Rcode.REFUSED);
    if (seen === 0 && state === State.LOOPING) return q.replyError(LOOPING);
    return next(q);
  }
}

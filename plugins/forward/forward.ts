// The *forward* handler: which queries are forwarded, how many at once, and which replies the next *forward* is asked about.
import {
  type Answer,
  type Counter,
  DnsError,
  type Handler,
  type Next,
  type Query,
  Rcode,
  type Reply,
  type Services,
  whenDone,
  ZoneSet,
} from '../../core/plugin.js';
import type { AttemptOptions } from './attempts.js';
import { InFlightCells } from './health-cells.js';
import { withRecursion } from './replies.js';
import { type UpstreamSet, UpstreamSets } from './upstream-sets.js';

const NOT_STARTED = new DnsError('ERR_NO_UPSTREAM', 'host names are not looked up yet');

export interface ForwardOptions extends AttemptOptions {
  /** Stands for the upstreams as they are written: the same in every worker and process. */
  readonly origin: number;
  /** Zones that are forwarded, and names below them that are not. */
  readonly from: readonly string[];
  readonly except: readonly string[];
  /** Queries in flight in all workers, 0 for no limit. */
  readonly maxConcurrent: number;
  /** Bit n is rcode n: the next *forward* is asked. */
  readonly nextMask: number;
  readonly isNextOnNodata: boolean;
}

export class Forward implements Handler {
  readonly #options: ForwardOptions;
  readonly #services: Services;
  readonly #zones: ZoneSet;
  readonly #except: ZoneSet;
  readonly #inFlight: InFlightCells;
  readonly #rejects: Counter;
  readonly #limitError: DnsError;
  readonly #sets: UpstreamSets;
  /** The rest of the chain, and whether another *forward* is its front; known from the first query on. */
  #next: Next | undefined;
  #isNextForward = false;

  constructor(first: UpstreamSet, options: ForwardOptions, services: Services) {
    this.#options = options;
    this.#services = services;
    this.#zones = new ZoneSet(options.from);
    this.#except = new ZoneSet(options.except);
    this.#inFlight = new InFlightCells(options.upstream.cells, services.worker);
    this.#rejects = services.metrics.counter(
      'max_concurrent_rejects_total',
      'Queries refused because of max_concurrent.',
    );
    const limit = `concurrent queries exceeded maximum ${options.maxConcurrent}`;
    this.#limitError = new DnsError('ERR_UPSTREAM_LIMIT', limit);
    this.#sets = new UpstreamSets(first, options, this.#inFlight, services);
  }

  serve(q: Query, next: Next): Answer {
    if (!this.#zones.covers(q)) return next(q);
    if (this.#except.size > 0 && this.#except.covers(q) && !this.#zones.has(q)) return next(q);
    if (this.#next === undefined) {
      this.#next = next;
      this.#isNextForward = this.#services.block.plugins[q.depth + 1] === 'forward';
    }
    const { maxConcurrent } = this.#options;
    if (maxConcurrent > 0 && this.#inFlight.total >= maxConcurrent) {
      this.#rejects.inc();
      return withRecursion(q.replyError(this.#limitError));
    }
    const { attempts } = this.#sets;
    if (attempts === undefined) return withRecursion(q.replyError(NOT_STARTED));
    q.origin = this.#options.origin;
    const answer = attempts.start(q);
    return this.#isNextForward ? whenDone(answer, this.#continue) : answer;
  }

  onStart(): void {
    this.#sets.begin();
  }

  onPublished(value: unknown): void {
    this.#sets.change(value as UpstreamSet);
  }

  onStop(): void {
    this.#sets.close();
  }

  /** Not as long as no host name could be looked up. */
  ready(): boolean {
    return this.#sets.attempts !== undefined;
  }

  /** Asks the next *forward* of the block when the reply is of a kind that this one passes over. */
  readonly #continue = (reply: Reply, q: Query): Answer => {
    const { nextMask, isNextOnNodata } = this.#options;
    if (reply.error !== undefined) return reply;
    const isNodata = reply.rcode === Rcode.NOERROR && reply.layout.answers === 0;
    const isPassedOver = ((nextMask >> reply.rcode) & 1) !== 0 || (isNextOnNodata && isNodata);
    return isPassedOver ? (this.#next as Next)(q) : reply;
  };
}

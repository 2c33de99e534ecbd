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
import { type AttemptOptions, Attempts } from './attempts.js';
import { hashOf, InFlightCells } from './health-cells.js';
import { resolveTargets } from './names.js';
import { checkCount } from './publish.js';
import { withRecursion } from './replies.js';
import type { AddressTarget, NameTarget } from './targets.js';

const NOT_STARTED = new DnsError('ERR_NO_UPSTREAM', 'host names are not looked up yet');

export interface ForwardOptions extends AttemptOptions {
  /** Zones that are forwarded, and names below them that are not. */
  readonly from: readonly string[];
  readonly except: readonly string[];
  /** Servers that host names among the upstreams are looked up with; none for the system's. */
  readonly resolvers: readonly string[];
  /** Queries in flight in all workers, 0 for no limit. */
  readonly maxConcurrent: number;
  /** Bit n is rcode n: the next *forward* is asked. */
  readonly nextMask: number;
  readonly isNextOnNodata: boolean;
}

export class Forward implements Handler {
  readonly #targets: readonly (AddressTarget | NameTarget)[];
  readonly #options: ForwardOptions;
  readonly #services: Services;
  readonly #zones: ZoneSet;
  readonly #except: ZoneSet;
  readonly #inFlight: InFlightCells;
  /** The same for the same upstreams, in every worker and process. */
  readonly #origin: number;
  readonly #rejects: Counter;
  readonly #limitError: DnsError;
  /** Undefined until host names are looked up, if there are any. */
  #attempts: Attempts | undefined;
  /** The rest of the chain, and whether another *forward* is its front; known from the first query on. */
  #next: Next | undefined;
  #isNextForward = false;

  constructor(
    targets: readonly (AddressTarget | NameTarget)[],
    options: ForwardOptions,
    services: Services,
  ) {
    this.#targets = targets;
    this.#options = options;
    this.#services = services;
    this.#zones = new ZoneSet(options.from);
    this.#except = new ZoneSet(options.except);
    this.#inFlight = new InFlightCells(options.upstream.cells, services.worker);
    this.#origin = hashOf(
      targets
        .map((target) => JSON.stringify(target))
        .sort()
        .join(' '),
    );
    this.#rejects = services.metrics.counter(
      'max_concurrent_rejects_total',
      'Queries refused because of max_concurrent.',
    );
    const limit = `concurrent queries exceeded maximum ${options.maxConcurrent}`;
    this.#limitError = new DnsError('ERR_UPSTREAM_LIMIT', limit);
    if (targets.every(isAddress)) {
      this.#attempts = new Attempts(targets, options, this.#inFlight, services);
    }
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
    if (this.#attempts === undefined) return withRecursion(q.replyError(NOT_STARTED));
    q.origin = this.#origin;
    const answer = this.#attempts.start(q);
    return this.#isNextForward ? whenDone(answer, this.#continue) : answer;
  }

  async onStart(): Promise<void> {
    if (this.#attempts === undefined) {
      const targets = await resolveTargets(this.#targets, this.#options.resolvers);
      checkCount(targets.length);
      this.#attempts = new Attempts(targets, this.#options, this.#inFlight, this.#services);
    }
    this.#attempts.begin();
  }

  onStop(): void {
    this.#attempts?.close();
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

function isAddress(target: AddressTarget | NameTarget): target is AddressTarget {
  return target.kind === 'address';
}

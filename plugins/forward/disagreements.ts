// Two upstreams that say the opposite of each other: a name exists for one and not for the other. Counted, and logged if wanted.
import {
  type Clock,
  type Counter,
  type Exchange,
  formatName,
  type Logger,
  QNAME_OFFSET,
  type Services,
} from '../../core/plugin.js';
import { Kind } from './answers.js';

/** Lines about disagreements are this far apart at least; what comes in between is only counted. */
const LOG_EVERY_MS = 1000;

export class Disagreements {
  readonly #count: Counter;
  readonly #log: Logger | undefined;
  readonly #clock: Clock;
  #loggedMs = Number.NEGATIVE_INFINITY;

  constructor({ metrics, log, clock }: Services, isLogged: boolean) {
    this.#count = metrics.counter(
      'disagreements_total',
      'Queries that one upstream answered with data and another one with NXDOMAIN.',
    );
    this.#log = isLogged ? log : undefined;
    this.#clock = clock;
  }

  /** The client got a reply of kind `taken` from `winner`; now `loser` answered the same question, `x`, with `late`. */
  compare(x: Exchange, taken: number, winner: string, late: number, loser: string): void {
    const isOpposite =
      (taken === Kind.DATA && late === Kind.NXDOMAIN) ||
      (taken === Kind.NXDOMAIN && late === Kind.DATA);
    if (!isOpposite) return;
    this.#count.inc();
    const nowMs = this.#clock.nowMs;
    if (this.#log === undefined || nowMs - this.#loggedMs < LOG_EVERY_MS) return;
    this.#loggedMs = nowMs;
    const name = formatName(x.message, QNAME_OFFSET);
    const said = (kind: number): string => (kind === Kind.DATA ? 'data' : 'NXDOMAIN');
    this.#log.warning(
      `upstreams disagree on ${name}: ${winner} has ${said(taken)}, ${loser} has ${said(late)}`,
    );
  }
}

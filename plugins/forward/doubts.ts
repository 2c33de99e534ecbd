// Replies over UDP that are not believed: what becomes of their queries.
//
//   lost its case                 -> the same upstream over TCP, in mixed case, to find out who says so (see spelling.ts)
//   too many guesses on a socket  -> the same upstream over TCP
//   an error without a question   -> the same upstream over TCP: nothing but id and port vouches for it
//   TCP is not to be had          -> over UDP once more: another id, another socket, another case
import { type Counter, type Exchange, Failure, type Metrics } from '../../core/plugin.js';
import type { Launcher } from './launcher.js';
import type { Race } from './race.js';
import type { Upstream } from './upstream.js';

/** Messages of one query that may be sent again for such reasons: it ends, whatever comes in. */
const MAX_DOUBTS = 8;

export class Doubts {
  readonly #launcher: Launcher;
  readonly #upstreams: readonly Upstream[];
  readonly #moved: Readonly<Record<'case' | 'forgery' | 'error', Counter>>;

  constructor(launcher: Launcher, upstreams: readonly Upstream[], metrics: Metrics) {
    this.#launcher = launcher;
    this.#upstreams = upstreams;
    const moved = (reason: string): Counter =>
      metrics.counter(
        'unbelieved_queries_total',
        'Queries asked over TCP because a reply over UDP would not be believed.',
        { reason },
      );
    this.#moved = { case: moved('case'), forgery: moved('forgery'), error: moved('error') };
  }

  /** Whether the message of `x`, which came to nothing for this reason, is under way again. */
  resends(race: Race, x: Exchange, failure: Failure): boolean {
    const { spelling } = this.#upstreams[x.upstream] as Upstream;
    const isMiscased = failure === Failure.CASE;
    if (race.query === null) return false;
    if (isMiscased) {
      x.miscased++;
      if (race.isStreamless(x.upstream)) spelling.miscased(x.miscased);
    } else if (failure !== Failure.FORGERY) {
      if (!x.isDoubted || failure === Failure.LIMIT) return false;
      race.noteStreamless(x.upstream);
    }
    const isStream = !race.isStreamless(x.upstream) && !(isMiscased && spelling.isFolding);
    return this.#resend(race, x, failure, isStream);
  }

  /** Whether the message of `x`, which was answered with an error without a question, is under way again to hear that from the upstream itself. */
  confirms(race: Race, x: Exchange): boolean {
    // Where the case of the question does not count either, such an error is as good as any reply.
    if (x.isStream || x.caseBits === 0 || race.isStreamless(x.upstream)) return false;
    if (race.doubts === MAX_DOUBTS) return false;
    race.doubts++;
    this.#moved.error.inc();
    x.isDoubted = true;
    if (this.#launcher.send(race, x, true) === Failure.NONE) return true;
    this.#upstreams[x.upstream]?.latency(true).withdrawn();
    x.isDoubted = false;
    x.isStream = false;
    race.noteStreamless(x.upstream);
    return false;
  }

  /** There is a reply to `x`. */
  answered(x: Exchange): void {
    if (!x.isDoubted) return;
    x.isDoubted = false;
    if (x.caseBits === 0) return;
    const upstream = this.#upstreams[x.upstream] as Upstream;
    if (x.isMiscased) upstream.spelling.folds();
    else upstream.forged.inc();
  }

  #resend(race: Race, x: Exchange, failure: Failure, isStream: boolean): boolean {
    if (race.doubts === MAX_DOUBTS) return false;
    race.doubts++;
    const isTrial = isStream && failure === Failure.CASE;
    const latency = (this.#upstreams[x.upstream] as Upstream).latency(x.isStream);
    if (x.isDoubted) latency.failed();
    else latency.withdrawn();
    if (isStream) this.#moved[isTrial ? 'case' : 'forgery'].inc();
    x.isDoubted = isStream;
    const refusal = this.#launcher.send(race, x, isStream, isTrial);
    if (refusal === Failure.NONE) return true;
    if (!isStream) return false;
    race.noteStreamless(x.upstream);
    return this.#resend(race, x, refusal, false);
  }
}

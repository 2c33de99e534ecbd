// Hot path. The case of letters in the questions to one upstream: mixed at random, so that a forged reply has to guess it, unless it was found out
// that the upstream does not give it back.
//
//   a reply over UDP fits but for its case -> never taken; the same message goes over TCP, in mixed case, where nobody can answer in its place
//   the case is lost over TCP as well      -> the upstream folds: the client's case for FOLDED_SECONDS
//   the case is kept over TCP              -> somebody guessed id and port: counted
//   there is no TCP                        -> once more over UDP; PROOFS such replies to one query say that the upstream folds
import { type Clock, type Counter, type Logger, random32 } from '../../core/plugin.js';
import type { HealthCells } from './health-cells.js';

/** How long an upstream that folds case is asked in the client's. Finding it out anew costs one query another round trip. */
const FOLDED_SECONDS = 3600;

/**
 * So many replies to one query that lost only their case are the upstream's, where it cannot be asked over TCP. The query is sent anew each time,
 * with another id and mostly from another port, and a forger has at most GUESS_LIMIT guesses at each, before the upstream answers: (1 in 2048) ** 3.
 */
const PROOFS = 3;

export interface SpellingServices {
  readonly clock: Clock;
  readonly log: Logger;
  /** Counts how often it was found to fold case. */
  readonly folds: Counter;
}

export class Spelling {
  readonly #name: string;
  readonly #cells: HealthCells;
  readonly #isMixing: boolean;
  readonly #services: SpellingServices;

  /** `isMixing` is false where nothing is mixed at all. */
  constructor(name: string, cells: HealthCells, isMixing: boolean, services: SpellingServices) {
    this.#name = name;
    this.#cells = cells;
    this.#isMixing = isMixing;
    this.#services = services;
  }

  /** Whether it was found to lose the case of questions. */
  get isFolding(): boolean {
    const until = this.#cells.foldedUntil;
    return until !== 0 && until > this.#services.clock.nowMs / 1000;
  }

  /** For the `caseBits` of a message over UDP. */
  get bits(): number {
    return this.#isMixing && !this.isFolding ? random32() : 0;
  }

  /** A message was answered over UDP in another case so many times, and cannot be sent over TCP. */
  miscased(times: number): void {
    if (times >= PROOFS) this.folds();
  }

  /** It is known to fold case. */
  folds(): void {
    if (this.isFolding) return;
    const { clock, folds, log } = this.#services;
    this.#cells.foldUntil(Math.ceil(clock.nowMs / 1000) + FOLDED_SECONDS);
    folds.inc();
    log.info(
      `upstream ${this.#name} does not keep the case of questions: it is asked in the client's`,
    );
  }
}

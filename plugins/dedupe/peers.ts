// The other workers: who leads a question among them, and how their flights end.
import {
  CLAIM_TAKEN,
  Claims,
  type DnsError,
  Mailboxes,
  type Reply,
  type Services,
  wants,
} from '../../core/plugin.js';
import type { SharedMemory } from './control.js';
import type { DedupeCounts } from './counts.js';
import type { Flight } from './flights.js';
import { Mail } from './mail.js';
import type { Question } from './question.js';

export class Peers {
  /** What `take` took. */
  readonly incoming = new Mail();
  readonly #claims: Claims;
  readonly #outgoing = new Mail();
  readonly #mailboxes: Mailboxes;
  readonly #worker: number;
  readonly #workers: number;
  readonly #counts: DedupeCounts;

  constructor({ claims, mail }: SharedMemory, { worker, workers }: Services, counts: DedupeCounts) {
    this.#claims = new Claims(claims, worker);
    this.#mailboxes = new Mailboxes(mail, worker);
    this.#worker = worker;
    this.#workers = workers;
    this.#counts = counts;
  }

  /** Calls `onMail` when there may be something to take, until `close`. */
  open(onMail: () => void): void {
    this.#mailboxes.open(onMail);
  }

  close(): void {
    this.#mailboxes.close();
  }

  /** Claims a flight's question, if this worker does not have it already. False when another one does, which will tell. */
  claim(flight: Flight, isSeized: boolean): boolean {
    if (this.#claims.wanted(flight.claim, flight.high) >= 0) return true;
    flight.claim = this.#claims.claim(flight.low, flight.high, isSeized);
    flight.isRemote = flight.claim === CLAIM_TAKEN;
    if (flight.claim < CLAIM_TAKEN) this.#counts.overClaims.inc();
    return !flight.isRemote;
  }

  /** Gives up the claim and tells who waits how the flight ended; with `goesOn` keeps it and tells that its leader failed. */
  tell(
    flight: Flight,
    reply: Reply | undefined,
    error: DnsError | undefined,
    goesOn: boolean,
  ): void {
    const { claim, high } = flight;
    const wanted = goesOn ? this.#claims.wanted(claim, high) : this.#claims.release(claim, high);
    if (wanted <= 0) return;
    const words = this.#outgoing.write(flight, reply, error, goesOn);
    for (let worker = 0; worker < this.#workers; worker++) {
      if (worker === this.#worker || !wants(wanted, worker)) continue;
      if (!this.#mailboxes.post(worker, this.#outgoing.words, words)) this.#counts.overMail.inc();
    }
  }

  /** Takes the next message into `incoming`, and its question into `question`. False when there is none. */
  take(question: Question): boolean {
    const isThere = this.#mailboxes.take(this.incoming.words) !== 0;
    if (isThere) this.incoming.read(question);
    return isThere;
  }

  /** Whether a message was lost since the last call, or a worker ended. */
  takeLost(): boolean {
    return this.#mailboxes.takeLost();
  }
}

// The other workers: who leads a question among them, and how their flights end.
import {
  Claims,
  type DnsError,
  Mailboxes,
  type Reply,
  type Services,
  wants,
} from '../../core/plugin.js';
import type { SharedMemory } from './control.js';
import type { Flight } from './flights.js';
import { Mail } from './mail.js';
import type { Question } from './question.js';

export class Peers {
  readonly claims: Claims;
  /** What `take` took. */
  readonly incoming = new Mail();
  readonly #outgoing = new Mail();
  readonly #mailboxes: Mailboxes;
  readonly #worker: number;
  readonly #workers: number;

  constructor({ claims, mail }: SharedMemory, { worker, workers }: Services) {
    this.claims = new Claims(claims, worker);
    this.#mailboxes = new Mailboxes(mail, worker);
    this.#worker = worker;
    this.#workers = workers;
  }

  /** Calls `onMail` when there may be something to take, until `close`. */
  open(onMail: () => void): void {
    this.#mailboxes.open(onMail);
  }

  close(): void {
    this.#mailboxes.close();
  }

  /** Tells who waits that a flight of ours has ended, or with `goesOn` that its leader failed. Gives how many could only be told to ask again. */
  tell(
    flight: Flight,
    reply: Reply | undefined,
    error: DnsError | undefined,
    goesOn = false,
  ): number {
    const { claim, high } = flight;
    const wanted = goesOn ? this.claims.wanted(claim, high) : this.claims.release(claim, high);
    if (wanted <= 0) return 0;
    const words = this.#outgoing.write(flight, reply, error, goesOn);
    let missed = 0;
    for (let worker = 0; worker < this.#workers; worker++) {
      if (worker === this.#worker || !wants(wanted, worker)) continue;
      if (!this.#mailboxes.post(worker, this.#outgoing.words, words)) missed++;
    }
    return missed;
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

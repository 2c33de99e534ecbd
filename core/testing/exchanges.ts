// Exchanges for tests of carriers: questions made from text, and what became of them.

import {
  type Exchange,
  type ExchangeOwner,
  ExchangePool,
  type Failure,
} from '../upstream/exchange.js';
import { writeQuestion } from '../upstream/message.js';
import { ADVERTISED_UDP_BYTES, OPT_BYTES, writeOpt } from '../wire/edns.js';
import { parseName } from '../wire/name.js';

/** What became of an exchange: the reply's bytes or the failure. */
export type Outcome = Buffer | Failure;

/** Owns exchanges and keeps what they came to. */
export class TestOwner implements ExchangeOwner {
  readonly pool = new ExchangePool();
  readonly #waiting = new Map<Exchange, (outcome: Outcome) => void>();

  /** An exchange that asks for the A record of `name`, with EDNS or without, not sent. */
  make(name: string, hasOpt = false): Exchange {
    const x = this.pool.take() as Exchange;
    writeQuestion(x, parseName(name), 1, true);
    if (hasOpt) addOpt(x);
    x.owner = this;
    return x;
  }

  /** What becomes of `x`; it is given back then. */
  outcome(x: Exchange): Promise<Outcome> {
    return new Promise((resolve) => this.#waiting.set(x, resolve));
  }

  onAnswer(x: Exchange, wire: Uint8Array, length: number): void {
    this.#end(x, Buffer.from(wire.subarray(0, length)));
  }

  onFailure(x: Exchange, failure: Failure): void {
    this.#end(x, failure);
  }

  #end(x: Exchange, outcome: Outcome): void {
    const resolve = this.#waiting.get(x);
    this.#waiting.delete(x);
    this.pool.give(x);
    resolve?.(outcome);
  }
}

function addOpt(x: Exchange): void {
  writeOpt(x.message, x.length, ADVERTISED_UDP_BYTES, 0, false);
  x.message[11] = 1;
  x.length += OPT_BYTES;
  x.hasOpt = true;
}

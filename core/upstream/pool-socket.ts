// Hot path. One UDP socket of a pool: what is under way on it, and how many messages came to it that look guessed.
import type { UdpSocket } from '../system/sockets.js';
import { Link } from './exchange.js';

/**
 * A socket that got so many messages that look guessed is given up (RFC 5452 section 9.3). Whoever found its port out, so that every forged
 * reply gets here, has to guess an id of 16 bits for the question that is under way, and the case of its letters: until then it succeeded with
 * a chance of 32 in 65536, 1 in 2048, for a name without letters, and of 1 in 2 million for one of ten. The next socket has another port, which
 * has to be found out anew. Who does not know ports hits a given socket with every 64512th message: it takes 2 million of them, so that nobody
 * is bothered who is not flooded. A reply that is merely late or repeated does not count.
 */
export const GUESS_LIMIT = 32;

const IDS = 65_536;

export class PoolSocket extends Link {
  socket: UdpSocket | undefined;
  uses = 0;
  openedMs = 0;
  isRetired = false;
  isClosed = false;
  /** Messages that fit nothing ever sent from here. */
  guesses = 0;
  /** A bit for each id that a message left from here with: 8 KiB. */
  readonly #used = new Uint8Array(IDS / 8);

  /** A message leaves with this id. */
  use(id: number): void {
    const at = id >> 3;
    this.uses++;
    this.#used[at] = (this.#used[at] as number) | (1 << (id & 7));
  }

  /** Whether a reply with this id may be late or repeated; a socket is replaced before it has used one in six of all ids. */
  hasUsed(id: number): boolean {
    return ((this.#used[id >> 3] as number) & (1 << (id & 7))) !== 0;
  }
}

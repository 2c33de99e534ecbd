// Hot path. UDP replies of a worker on their way out: finished in their send slots, sent in batches, then shown to the observers.
import type { Chain } from '../chain/chain.js';
import type { Query } from '../chain/query.js';
import type { Reply } from '../chain/reply.js';
import type { Counter } from '../chain/services.js';
import type { Batch, UdpSocket } from '../system/sockets.js';
import { copySockaddr } from '../wire/sockaddr.js';
import type { FaultLog } from './faults.js';
import type { QueryPool } from './query-pool.js';

/** A reply that waits in bytes of its own, `q.out`. */
interface Late {
  readonly socket: UdpSocket;
  readonly q: Query;
  readonly length: number;
  readonly reply: Reply;
  readonly chain: Chain | null;
}

export class Outbox {
  readonly #batch: Batch;
  readonly #clock: { nowMs: number; refresh(): void };
  readonly #pool: QueryPool;
  readonly #faults: FaultLog;
  readonly #unsent: Counter;
  readonly #sockets: (UdpSocket | null)[];
  readonly #queries: (Query | null)[];
  readonly #replies: (Reply | null)[];
  readonly #chains: (Chain | null)[];
  /** 1 where the query came out of the pool and goes back into it. */
  readonly #isPooled: Uint8Array;
  /** Replies to queries that were settled while `isLent`; no more than queries may wait (Parked). */
  readonly #late: Late[] = [];
  #isLent = false;
  #count = 0;
  #observed = 0;

  constructor(
    batch: Batch,
    clock: { nowMs: number; refresh(): void },
    pool: QueryPool,
    faults: FaultLog,
    unsent: Counter,
  ) {
    this.#batch = batch;
    this.#clock = clock;
    this.#pool = pool;
    this.#faults = faults;
    this.#unsent = unsent;
    this.#sockets = new Array(batch.capacity).fill(null);
    this.#queries = new Array(batch.capacity).fill(null);
    this.#replies = new Array(batch.capacity).fill(null);
    this.#chains = new Array(batch.capacity).fill(null);
    this.#isPooled = new Uint8Array(batch.capacity);
  }

  /** The slot the next reply goes into; makes room first when all are taken. */
  get slot(): Uint8Array {
    if (this.#count === this.#batch.capacity) this.flush();
    return this.#batch.data[this.#count] as Uint8Array;
  }

  /** Queues what was written to `slot` for `q`'s client. Without a reply and chain nobody is told of it. */
  push(
    socket: UdpSocket,
    q: Query,
    length: number,
    reply: Reply | null,
    chain: Chain | null,
    isPooled: boolean,
  ): void {
    const k = this.#count++;
    const batch = this.#batch;
    batch.lengths[k] = length;
    copySockaddr(q.peer, batch.peers[k] as Uint8Array);
    const local = batch.locals[k] as Uint8Array;
    if (q.local[0] === 0) local[0] = 0;
    else copySockaddr(q.local, local);
    this.#sockets[k] = socket;
    this.#isPooled[k] = isPooled ? 1 : 0;
    this.#queries[k] = q;
    this.#chains[k] = chain;
    this.#replies[k] = reply;
  }

  /** The next slot is that of a query in the chain, or replies are on their way out: what else is to be sent has to be kept. */
  get isLent(): boolean {
    return this.#isLent;
  }

  /** From now until `takeBack` queries in the chain have the next slot. */
  lend(): void {
    this.#isLent = true;
  }

  /** Takes the finished reply to a deferred query that a plugin settled while `isLent`: a copy of what is in `q.out`. */
  keep(socket: UdpSocket, q: Query, length: number, reply: Reply, chain: Chain | null): void {
    q.out = q.out.slice(0, length);
    reply.wire = q.out;
    this.#late.push({ socket, q, length, reply, chain });
  }

  /** Nobody uses the next slot any more: queues what was kept. */
  takeBack(): void {
    this.#isLent = false;
    if (this.#late.length === 0) return;
    for (const { socket, q, length, reply, chain } of this.#late.splice(0)) {
      const { slot } = this;
      slot.set(q.out);
      q.out = slot;
      reply.wire = slot;
      this.push(socket, q, length, reply, chain, true);
    }
  }

  /** Sends everything queued, one system call per run of replies for one socket. */
  flush(): void {
    const count = this.#count;
    if (count === 0) return;
    const wasLent = this.#isLent;
    this.#isLent = true;
    for (let first = 0; first < count; ) {
      const socket = this.#sockets[first] as UdpSocket;
      let end = first + 1;
      while (end < count && this.#sockets[end] === socket) end++;
      const sent = socket.send(this.#batch, first, end - first);
      if (sent < end - first) this.#unsent.inc(end - first - sent);
      first = end;
    }
    this.#clock.refresh();
    this.#observed = 0;
    while (this.#observed < count) {
      try {
        this.#observe(count);
      } catch (error) {
        this.#faults.report('observer', error, this.#clock.nowMs);
        this.#observed++;
      }
    }
    for (let k = 0; k < count; k++) {
      if (this.#isPooled[k] === 1) this.#pool.put(this.#queries[k] as Query);
      this.#queries[k] = null;
    }
    this.#count = 0;
    if (!wasLent) this.takeBack();
  }

  #observe(count: number): void {
    const nowMs = this.#clock.nowMs;
    for (; this.#observed < count; this.#observed++) {
      const chain = this.#chains[this.#observed] as Chain | null;
      if (chain === null || !chain.hasObservers) continue;
      const q = this.#queries[this.#observed] as Query;
      q.repliedMs = nowMs;
      chain.observe(q, this.#replies[this.#observed] as Reply);
    }
  }
}

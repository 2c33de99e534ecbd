// Hot path. Queries of one UDP socket: received in batches, each taken through gate, route and chain, replies queued in the outbox.
import type { DnsError } from '../chain/errors.js';
import { finish } from '../chain/finish.js';
import { type Query, Transport } from '../chain/query.js';
import { Reply } from '../chain/reply.js';
import type { UdpSocket } from '../system/sockets.js';
import { accept, rejectInto, Verdict } from '../wire/accept.js';
import { Ede, Rcode } from '../wire/constants.js';
import type { Router } from './router.js';
import type { ServerSink, Shared } from './shared.js';
import { FAULT, park } from './stream-query.js';

export class UdpServer implements ServerSink {
  readonly #shared: Shared;
  readonly #listener: number;
  readonly #router: Router;
  #socket: UdpSocket | undefined;
  #next = 0;

  constructor(shared: Shared, listener: number, router: Router) {
    this.#shared = shared;
    this.#listener = listener;
    this.#router = router;
  }

  /** Takes a batch of what waits on the socket. The socket layer calls it, again while there is more, when other sockets had their turn. */
  readonly onReadable = (socket: UdpSocket): void => {
    this.#socket = socket;
    const { rx, clock, outbox } = this.#shared;
    const count = socket.receive(rx);
    if (count <= 0) return;
    clock.refresh();
    outbox.lend();
    this.#next = 0;
    while (this.#next < count) {
      try {
        for (; this.#next < count; this.#next++) this.#serve(socket, this.#next);
      } catch (error) {
        this.#faultIn(socket, this.#next++, error);
      }
    }
    outbox.takeBack();
    outbox.flush();
  };

  /** A deferred query has its reply. */
  deliver(q: Query, reply: Reply): void {
    const { parked, pool, outbox } = this.#shared;
    // Not there: its time limit answered it before. Now that its plugin is done with it, it can be used again.
    if (!parked.remove(q)) pool.put(q);
    else if (outbox.isLent) this.#keep(q, reply);
    else this.#sendLater(q, reply, outbox.slot, true);
  }

  fault(q: Query, error: unknown): void {
    this.#shared.reportFault(q, error);
    this.deliver(q, q.replyError(FAULT));
  }

  /** The reply for a query whose plugin did not answer in time; the plugin still holds the object. */
  expire(q: Query, error: DnsError): void {
    const out = this.#shared.outbox.slot;
    q.out = out;
    this.#sendLater(q, q.replyError(error), out, false);
    // Sent now, because the object is not ours to keep until the next flush.
    this.#shared.outbox.flush();
    q.out = this.#shared.scratch;
  }

  #serve(socket: UdpSocket, i: number): void {
    const { rx, outbox, queries, counters, pool } = this.#shared;
    const q = queries[i] as Query;
    q.reset();
    q.sink = this;
    q.wire = rx.data[i] as Uint8Array;
    q.length = rx.lengths[i] as number;
    q.peer = rx.peers[i] as Uint8Array;
    q.local = rx.locals[i] as Uint8Array;
    q.out = outbox.slot;
    q.transport = Transport.UDP;
    q.server = this.#listener;
    q.receivedMs = this.#shared.clock.nowMs;
    if (q.length < 0) {
      counters.oversized.inc();
      return;
    }
    const verdict = accept(q, rx.kernelAt[i] as number);
    if (verdict !== Verdict.ACCEPT) {
      counters.rejected[verdict]?.inc();
      if (verdict === Verdict.IGNORE) return;
      outbox.push(socket, q, rejectInto(q, verdict, q.out), null, null, false);
      return;
    }
    const route = this.#router.find(q);
    if (route === undefined) {
      counters.refused.inc();
      const reply = q.replyRcode(Rcode.REFUSED, Ede.NOT_AUTHORITATIVE);
      outbox.push(socket, q, finish(q, reply, q.udpSize), null, null, false);
      return;
    }
    q.zone = route.zone;
    q.chain = route.chain;
    const answer = route.chain.run(q);
    if (answer instanceof Reply) {
      outbox.push(socket, q, finish(q, answer, q.udpSize), answer, route.chain, false);
    } else {
      // The query leaves its slot, which gets another object.
      queries[i] = pool.take(this);
      park(this.#shared, q, answer);
    }
  }

  #sendLater(q: Query, reply: Reply, out: Uint8Array, isPooled: boolean): void {
    q.out = out;
    const length = finish(q, reply, q.udpSize);
    const chain = q.chain ?? null;
    this.#shared.outbox.push(this.#socket as UdpSocket, q, length, reply, chain, isPooled);
    this.#shared.requestFlush();
  }

  /** A plugin settled `q` while it serves another query, or is shown a reply. */
  #keep(q: Query, reply: Reply): void {
    q.out = this.#shared.lateOut;
    const length = finish(q, reply, q.udpSize);
    this.#shared.outbox.keep(this.#socket as UdpSocket, q, length, reply, q.chain ?? null);
    this.#shared.requestFlush();
  }

  #faultIn(socket: UdpSocket, i: number, error: unknown): void {
    const { queries, pool, outbox } = this.#shared;
    const q = queries[i] as Query;
    this.#shared.reportFault(q, error);
    // A plugin that deferred before it threw may still hold the object.
    if (q.isDeferred) queries[i] = pool.take(this);
    q.out = outbox.slot;
    const reply = q.replyError(FAULT);
    outbox.push(socket, q, finish(q, reply, q.udpSize), reply, q.chain ?? null, false);
  }
}

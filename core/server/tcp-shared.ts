// What the TCP listeners of a worker share: the open connections, their limit, and which have replies to write.
import type { Gauge, Metrics, Timers } from '../chain/services.js';
import { type FrameWriter, sharedFrameWriter } from './frame-writer.js';
import type { Limits } from './limits.js';

/** Connections a worker keeps. A new one past this takes the place of one that is idle, or is refused (RFC 7766 6.2.2). */
export const MAX_CONNECTIONS = 1024;

/** Connections looked at to find an idle one to close. */
const MAX_LOOKED_AT = 64;

/** A client connection as its listener's books know it. */
export interface OpenConnection {
  /** Nothing of it is in flight, and the client took every reply: it closes at once. */
  readonly isIdle: boolean;
  /** Replies are due or not yet taken by the client. */
  readonly hasWork: boolean;
  /** Writes the replies that wait. */
  flush(): void;
  /** Reads no more and closes once everything in flight is answered. */
  drain(): void;
  /** Closes after what is written has gone out. */
  close(): void;
}

export class TcpShared {
  readonly connections = new Set<OpenConnection>();
  readonly timers: Timers;
  /** Replies of the connection whose queries are being read; empty between two reads. */
  readonly frames: FrameWriter = sharedFrameWriter();
  readonly #open: Gauge;
  readonly #limits: Limits;
  readonly #dirty: OpenConnection[] = [];
  /** Those closed to make room that are not gone yet: a moment later they are. */
  readonly #leaving = new Set<OpenConnection>();

  constructor(timers: Timers, metrics: Metrics, limits: Limits) {
    this.timers = timers;
    this.#limits = limits;
    this.#open = metrics.gauge('tcp_connections', 'Open TCP connections of clients.');
  }

  add(connection: OpenConnection): void {
    this.connections.add(connection);
    this.#open.set(this.connections.size);
  }

  remove(connection: OpenConnection): void {
    this.connections.delete(connection);
    this.#leaving.delete(connection);
    this.#open.set(this.connections.size);
  }

  /** Has `connection` write its late replies in the next flush. */
  markDirty(connection: OpenConnection): void {
    this.#dirty.push(connection);
  }

  /** Writes what deferred queries left; the flush hook. */
  flush(): void {
    if (this.#dirty.length === 0) return;
    for (let i = 0; i < this.#dirty.length; i++) this.#dirty[i]?.flush();
    this.#dirty.length = 0;
  }

  /** Makes room for one more connection. False when every one looked at is busy. */
  makeRoom(): boolean {
    if (this.connections.size - this.#leaving.size < MAX_CONNECTIONS) return true;
    let looked = 0;
    for (const connection of this.connections) {
      if (this.#leaving.has(connection)) continue;
      if (connection.isIdle) {
        this.#limits.idleConnections.inc();
        this.#leaving.add(connection);
        connection.close();
        return true;
      }
      if (++looked === MAX_LOOKED_AT) break;
    }
    this.#limits.connections.inc();
    return false;
  }
}

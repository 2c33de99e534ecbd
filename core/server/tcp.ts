// Queries over TCP (RFC 7766): accepts connections, bounds their number and hands each to a TcpConnection.
import { createServer, type Server, type Socket } from 'node:net';
import type { Gauge, Metrics, Timers } from '../chain/services.js';
import type { Endpoint } from '../system/sockets.js';
import type { Router } from './router.js';
import type { Shared } from './shared.js';
import { TcpConnection } from './tcp-connection.js';

/** Connections a worker keeps. A new one past this takes the place of one that is idle, or is refused (RFC 7766 6.2.2). */
const MAX_CONNECTIONS = 1024;

/** Connections looked at to find an idle one to close. */
const MAX_LOOKED_AT = 64;

/** What all TCP listeners of a worker share. */
export class TcpShared {
  readonly connections = new Set<TcpConnection>();
  readonly timers: Timers;
  readonly #open: Gauge;
  readonly #dirty: TcpConnection[] = [];

  constructor(timers: Timers, metrics: Metrics) {
    this.timers = timers;
    this.#open = metrics.gauge('tcp_connections', 'Open TCP connections of clients.');
  }

  add(connection: TcpConnection): void {
    this.connections.add(connection);
    this.#open.set(this.connections.size);
  }

  remove(connection: TcpConnection): void {
    this.connections.delete(connection);
    this.#open.set(this.connections.size);
  }

  /** Has `connection` write its late replies in the next flush. */
  markDirty(connection: TcpConnection): void {
    this.#dirty.push(connection);
  }

  /** Writes what deferred queries left; the flush hook. */
  flush(): void {
    for (let i = 0; i < this.#dirty.length; i++) this.#dirty[i]?.flush();
    this.#dirty.length = 0;
  }

  /** Makes room for one more connection. False when every one looked at is busy. */
  makeRoom(): boolean {
    if (this.connections.size < MAX_CONNECTIONS) return true;
    let looked = 0;
    for (const connection of this.connections) {
      if (connection.isIdle) {
        connection.close();
        return true;
      }
      if (++looked === MAX_LOOKED_AT) break;
    }
    return false;
  }
}

export class TcpServer {
  readonly #shared: Shared;
  readonly #tcp: TcpShared;
  readonly #listener: number;
  readonly #router: Router;
  readonly #server: Server;

  constructor(shared: Shared, tcp: TcpShared, listener: number, router: Router) {
    this.#shared = shared;
    this.#tcp = tcp;
    this.#listener = listener;
    this.#router = router;
    // Half-open: a client may close its side after the last query and still wants the replies.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, this.#onConnection);
  }

  /** Listens on a descriptor, which it owns from then on, or on `endpoint`. */
  async listen(fd: number | undefined, endpoint: Endpoint): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      const done = (): void => {
        this.#server.off('error', reject);
        // Accepting can fail for want of descriptors; those connected are served on, the rest waits in the kernel's queue.
        this.#server.on('error', () => {});
        resolve();
      };
      if (fd !== undefined) this.#server.listen({ fd }, done);
      else this.#server.listen(endpoint.port, endpoint.address, done);
    });
  }

  /** Stops accepting; connections stay. */
  close(): void {
    this.#server.close();
  }

  readonly #onConnection = (socket: Socket): void => {
    if (!this.#tcp.makeRoom()) {
      socket.destroy();
      return;
    }
    const connection = new TcpConnection(
      this.#shared,
      this.#tcp,
      this.#listener,
      this.#router,
      socket,
    );
    this.#tcp.add(connection);
  };
}

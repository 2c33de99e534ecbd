// Queries over TCP (RFC 7766): accepts connections, bounds their number and hands each to a TcpConnection.
import { createServer, type Server, type Socket } from 'node:net';
import type { Endpoint } from '../system/sockets.js';
import type { Router } from './router.js';
import type { Shared } from './shared.js';
import { TcpConnection } from './tcp-connection.js';
import type { TcpShared } from './tcp-shared.js';

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

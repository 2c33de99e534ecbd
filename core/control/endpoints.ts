// HTTP servers of the main thread: one per address, with as many paths as plugins mount there.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type {
  EndpointAnswer,
  Endpoints,
  Mount,
  Responder,
  SecureEndpoint,
} from '../container/process.js';
import { systemError } from '../system/libc.js';

/** Probes and scrapers are few; this many at once is somebody else. */
const MAX_CONNECTIONS = 256;

/** Time for a whole request: probes send a few hundred bytes. */
const REQUEST_LIMIT_MS = 5_000;

interface Path {
  readonly respond: Responder;
  mounts: number;
}

export class HttpEndpoints implements Endpoints {
  readonly #sites = new Map<string, Site>();

  async mount(
    address: string,
    path: string,
    respond: Responder,
    secure?: SecureEndpoint,
  ): Promise<Mount> {
    let site = this.#sites.get(address);
    if (site === undefined) {
      site = new Site(address, secure);
      this.#sites.set(address, site);
    }
    if (site.secureKey !== (secure?.key ?? '')) {
      throw new Error(`${address} cannot be served with different TLS settings`);
    }
    site.add(path, respond);
    try {
      await site.listening;
    } catch (error) {
      this.#sites.delete(address);
      throw error;
    }
    return this.#mountOf(address, site, path);
  }

  #mountOf(address: string, site: Site, path: string): Mount {
    let isOpen = true;
    return {
      origin: site.origin,
      renew: (options) => site.renew(options),
      close: async () => {
        if (!isOpen) return;
        isOpen = false;
        if (site.remove(path)) return;
        this.#sites.delete(address);
        await site.close();
      },
    };
  }
}

/** One address. */
class Site {
  readonly secureKey: string;
  /** Rejects when the address cannot be had. */
  readonly listening: Promise<void>;
  readonly #paths = new Map<string, Path>();
  readonly #server: Server & { closeAllConnections(): void };
  readonly #host: string;

  constructor(address: string, secure: SecureEndpoint | undefined) {
    const colon = address.lastIndexOf(':');
    const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
    // The name stands for both families; what asks for it mostly tries IPv4, and CoreDNS listens there.
    this.#host = host === 'localhost' ? '127.0.0.1' : host;
    this.secureKey = secure?.key ?? '';
    const limits = { requestTimeout: REQUEST_LIMIT_MS, headersTimeout: REQUEST_LIMIT_MS };
    const serve = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#serve(request, response);
    this.#server =
      secure === undefined
        ? createServer(limits, serve)
        : createSecureServer({ ...secure.options, ...limits }, serve);
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.listening = this.#listen(address, Number(address.slice(colon + 1)));
  }

  get origin(): string {
    const { port, address } = this.#server.address() as AddressInfo;
    const isAny = address === '::' || address === '0.0.0.0';
    const host = isAny ? '127.0.0.1' : address.includes(':') ? `[${address}]` : address;
    return `${this.secureKey === '' ? 'http' : 'https'}://${host}:${port}`;
  }

  add(path: string, respond: Responder): void {
    const known = this.#paths.get(path);
    if (known === undefined) this.#paths.set(path, { respond, mounts: 1 });
    else known.mounts++;
  }

  /** Undoes one `add`; false when nothing is left to serve. */
  remove(path: string): boolean {
    const known = this.#paths.get(path);
    if (known !== undefined && --known.mounts === 0) this.#paths.delete(path);
    return this.#paths.size > 0;
  }

  renew(options: SecureContextOptions): void {
    if (this.secureKey !== '') (this.#server as SecureServer).setSecureContext(options);
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #listen(address: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        reject(systemError(`cannot listen on ${address}/http`, -(error.errno ?? 0)));
      });
      const done = (): void => {
        // Running out of descriptors closes connections, not the process.
        this.#server.removeAllListeners('error').on('error', () => {});
        resolve();
      };
      if (this.#host === '') this.#server.listen(port, done);
      else this.#server.listen(port, this.#host, done);
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type, body } = await this.#answer(request);
    const bytes = Buffer.from(body);
    response.writeHead(status, {
      'content-type': type ?? 'text/plain; charset=utf-8',
      'content-length': bytes.length,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    response.end(request.method === 'HEAD' ? undefined : bytes);
    // What a request may still send is of no interest.
    request.resume();
  }

  async #answer(request: IncomingMessage): Promise<EndpointAnswer> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return { status: 405, body: 'method not allowed\n' };
    }
    const [path] = (request.url ?? '').split('?', 1);
    const found = this.#paths.get(path ?? '');
    if (found === undefined) return { status: 404, body: 'not found\n' };
    try {
      return await found.respond(request);
    } catch {
      return { status: 500, body: 'internal error\n' };
    }
  }
}

// HTTP servers of the main thread: one per address, with as many paths as plugins mount there.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type {
  EndpointAddress,
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
  readonly owner: string;
  readonly responder: Responder;
  mounts: number;
}

export class HttpEndpoints implements Endpoints {
  readonly #sites = new Map<string, Site>();

  async mount<R extends Responder>(
    owner: string,
    address: EndpointAddress,
    make: () => R,
    secure?: SecureEndpoint,
  ): Promise<Mount<R>> {
    const key = textOf(address);
    let site = this.#sites.get(key);
    if (site === undefined) {
      site = new Site(address, secure);
      this.#sites.set(key, site);
    }
    if (site.secureKey !== (secure?.key ?? '')) {
      throw new Error(`${key} cannot be served with two different TLS settings`);
    }
    const { path } = address;
    const responder = site.add(owner, path, make) as R;
    try {
      await site.listening;
    } catch (error) {
      this.#sites.delete(key);
      throw error;
    }
    return this.#mountOf(key, site, path, responder);
  }

  #mountOf<R extends Responder>(key: string, site: Site, path: string, responder: R): Mount<R> {
    let isOpen = true;
    return {
      responder,
      origin: site.origin,
      renew: (options) => site.renew(options),
      close: async () => {
        if (!isOpen) return;
        isOpen = false;
        if (site.remove(path)) return;
        this.#sites.delete(key);
        await site.close();
      },
    };
  }
}

type HttpServer = Server & { closeAllConnections(): void };

/** One address. */
class Site {
  readonly secureKey: string;
  /** Rejects when the address cannot be had. */
  readonly listening: Promise<void>;
  readonly #paths = new Map<string, Path>();
  readonly #text: string;
  #server: HttpServer | undefined;

  constructor(address: EndpointAddress, secure: SecureEndpoint | undefined) {
    this.#text = textOf(address);
    this.secureKey = secure?.key ?? '';
    this.listening = this.#listen(address, secure);
  }

  /** Only once it listens. */
  get origin(): string {
    const { port, address } = (this.#server as HttpServer).address() as AddressInfo;
    const isAny = address === '::' || address === '0.0.0.0';
    const host = isAny ? '127.0.0.1' : address.includes(':') ? `[${address}]` : address;
    return `${this.secureKey === '' ? 'http' : 'https'}://${host}:${port}`;
  }

  /** The responder for `path`, made when it is not there. */
  add(owner: string, path: string, make: () => Responder): Responder {
    const known = this.#paths.get(path);
    if (known === undefined) {
      const responder = make();
      this.#paths.set(path, { owner, responder, mounts: 1 });
      return responder;
    }
    if (known.owner !== owner) {
      throw new Error(`${this.#text}${path} is served by ${known.owner} already`);
    }
    known.mounts++;
    return known.responder;
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
    const server = this.#server;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  async #listen(
    { host, port }: EndpointAddress,
    secure: SecureEndpoint | undefined,
  ): Promise<void> {
    const server = await this.#create(secure);
    server.maxConnections = MAX_CONNECTIONS;
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        reject(systemError(`cannot listen on ${this.#text}/http`, -(error.errno ?? 0)));
      });
      const done = (): void => {
        // Running out of descriptors costs connections, not the process.
        server.removeAllListeners('error').on('error', () => {});
        resolve();
      };
      if (host === '') server.listen(port, done);
      // The name stands for both families; who uses it mostly means IPv4, and CoreDNS listens there.
      else server.listen(port, host === 'localhost' ? '127.0.0.1' : host, done);
    });
  }

  /** HTTP is loaded when somebody wants an endpoint, TLS when somebody wants that. */
  async #create(secure: SecureEndpoint | undefined): Promise<HttpServer> {
    const limits = { requestTimeout: REQUEST_LIMIT_MS, headersTimeout: REQUEST_LIMIT_MS };
    const serve = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#serve(request, response);
    if (secure === undefined) {
      const { createServer } = await import('node:http');
      return createServer(limits, serve);
    }
    const { createServer } = await import('node:https');
    return createServer({ ...secure.options, ...limits }, serve);
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
    // What the request may still send is of no interest.
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
      return await found.responder.respond(request);
    } catch {
      return { status: 500, body: 'internal error\n' };
    }
  }
}

/** As an operator writes it. */
function textOf({ host, port }: EndpointAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

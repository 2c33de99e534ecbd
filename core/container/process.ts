// What the process offers to the control parts of plugins: its state, every metric, and HTTP endpoints. Interfaces only.
import type { IncomingMessage } from 'node:http';
import type { SecureContextOptions, TlsOptions } from 'node:tls';

export type { MetricFamily, MetricSample, MetricSource } from '../metrics/registry.js';

/** The running server as a server block's control part sees it. */
export interface ProcessState {
  /** Of the server. */
  readonly version: string;
  /** True from the moment the process was asked to stop. */
  readonly isStopping: boolean;
  /**
   * Names of this block's plugins that are not ready in some worker, each once; empty when everything is ready. Undefined when a worker does not
   * run or does not answer.
   */
  notReady(): Promise<readonly string[] | undefined>;
  /** Stops the process with exit code 1 because it can do no good; `reason` is its last line. */
  fail(reason: string): void;
}

/** What an HTTP endpoint says. */
export interface EndpointAnswer {
  readonly status: number;
  /** Content type, `text/plain; charset=utf-8` by default. */
  readonly type?: string;
  readonly body: string;
}

/** Answers the requests for one path. All server blocks that name the path share one. */
export interface Responder {
  respond(request: IncomingMessage): EndpointAnswer | Promise<EndpointAnswer>;
}

/** Where something is served. */
export interface EndpointAddress {
  /** A name or address without brackets, '' for every address of the machine. */
  readonly host: string;
  readonly port: number;
  /** Starts with a slash. */
  readonly path: string;
}

/** Certificates and client checks of an address served over TLS. */
export interface SecureEndpoint {
  readonly options: TlsOptions;
  /** Tells apart what two users of one address ask for. */
  readonly key: string;
}

/** A path being served, for one of those who want it. */
export interface Mount<R extends Responder> {
  /** The one shared by all who named the path. */
  readonly responder: R;
  /** Where the address can be reached from this machine, without the path: `http://127.0.0.1:8080`. */
  readonly origin: string;
  /** Replaces the certificates of the address. */
  renew(options: SecureContextOptions): void;
  /** Ends this one's part; the last for a path ends the path, the last path of an address closes it. */
  close(): Promise<void>;
}

/** HTTP servers of the main thread, one per address, shared by all plugins. */
export interface Endpoints {
  /**
   * Serves GET and HEAD of a path. The first to name it makes the responder; `owner`, a plugin's name, keeps two plugins from meaning different
   * things by one path. Rejects with an Error that names the address when it cannot be had.
   */
  mount<R extends Responder>(
    owner: string,
    address: EndpointAddress,
    make: () => R,
    secure?: SecureEndpoint,
  ): Promise<Mount<R>>;
}

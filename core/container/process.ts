// What the process offers to the control parts of plugins: its state, every metric, and HTTP endpoints. Interfaces only.
import type { IncomingMessage } from 'node:http';
import type { SecureContextOptions, TlsOptions } from 'node:tls';

export type { MetricFamily, MetricSample, MetricSource } from '../metrics/registry.js';

/** The running server as a server block's control part sees it. */
export interface ProcessState {
  /** True from the moment the process was asked to stop. */
  readonly isStopping: boolean;
  /**
   * Names of this block's plugins that are not ready in some worker, each once; `worker` when one does not run or does not answer. Empty when
   * everything is ready.
   */
  notReady(): Promise<readonly string[]>;
}

/** What an HTTP endpoint says. */
export interface EndpointAnswer {
  readonly status: number;
  /** Content type, `text/plain; charset=utf-8` by default. */
  readonly type?: string;
  readonly body: string;
}

export type Responder = (request: IncomingMessage) => EndpointAnswer | Promise<EndpointAnswer>;

/** Certificates and client checks of an address served over TLS. */
export interface SecureEndpoint {
  readonly options: SecureContextOptions & TlsOptions;
  /** Tells apart what two users of one address ask for. */
  readonly key: string;
}

/** A path being served. */
export interface Mount {
  /** Where the address can be reached from this machine, without the path: `http://127.0.0.1:8080`. */
  readonly origin: string;
  /** Replaces the certificates of the address. */
  renew(options: SecureContextOptions): void;
  /** Ends serving the path; the last path of an address closes it. */
  close(): Promise<void>;
}

/** HTTP servers of the main thread, one per address, shared by all plugins. */
export interface Endpoints {
  /**
   * Serves GET and HEAD of `path` at `address`, HOST:PORT with an empty host for every address of the machine. Mounting a path again shares
   * the answer that is there, so that server blocks can name the same endpoint. Rejects when the address cannot be had.
   */
  mount(address: string, path: string, respond: Responder, secure?: SecureEndpoint): Promise<Mount>;
}

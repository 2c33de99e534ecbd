// What the main thread and its workers say to each other. Plain data: it goes through structured clone.
import type { Plan, StepPlan } from '../chain/plan.js';
import type { MetricsNote } from '../metrics/notes.js';
import type { WorkerSockets } from './sockets.js';

/** Given to a worker thread when it is created, before anything is known of the configuration. */
export interface WorkerSetup {
  readonly worker: number;
  /** Shared count of the log text under way; see posted-output.ts. */
  readonly underWay: Int32Array;
}

/** What a worker is to serve. */
export interface WorkerTask {
  readonly plan: Plan;
  readonly workers: number;
  /** The processor it stays on; undefined where the scheduler decides. */
  readonly cpu?: number | undefined;
  readonly sockets: WorkerSockets;
  /** What control parts published, by `instanceKey`. */
  readonly published: ReadonlyMap<string, unknown>;
}

export type ToWorker =
  | { readonly kind: 'start'; readonly task: WorkerTask }
  | { readonly kind: 'readiness'; readonly id: number }
  /** Says `pong`: its event loop turns. */
  | { readonly kind: 'ping' }
  | { readonly kind: 'drain'; readonly limitMs: number }
  /** A control part published something newer; `key` is its `instanceKey`. No other of this key comes before `taken`. */
  | { readonly kind: 'publish'; readonly key: string; readonly value: unknown }
  /** Ends the thread, in order. */
  | { readonly kind: 'stop' };

export type FromWorker =
  /** It serves; `wakeup` is the epoll set that wakes it up, -1 without. */
  | { readonly kind: 'started'; readonly wakeup: number }
  /** It cannot serve; it ends. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** Per server block, the names of the plugins that are not ready. */
  | { readonly kind: 'readiness'; readonly id: number; readonly notReady: readonly string[][] }
  | { readonly kind: 'pong' }
  | { readonly kind: 'drained' }
  /** The handler has what was published. */
  | { readonly kind: 'taken'; readonly key: string }
  | { readonly kind: 'lines'; readonly text: string }
  | { readonly kind: 'metrics'; readonly note: MetricsNote };

/** Names an occurrence of a plugin in the whole configuration. */
export function instanceKey(block: number, step: StepPlan): string {
  return `${block}/${step.plugin}/${step.instance}`;
}

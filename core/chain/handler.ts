// The contract between the server and a plugin: what a plugin is made of and what the server calls, when.
import type { Syntax } from '../corefile/syntax.js';
import type { Answer } from './pending.js';
import type { Query } from './query.js';
import type { Reply } from './reply.js';
import type { ControlServices, Services } from './services.js';

/** The rest of the chain. Calling it twice for one query throws. Its end answers REFUSED. */
export type Next = (q: Query) => Answer;

/** The data part of a plugin: one per occurrence in a server block and worker. */
export interface Handler {
  /** Answer, or pass on with `next(q)`, which gives the reply of the rest of the chain. Return the reply itself when nothing was waited for. */
  serve(q: Query, next: Next): Answer;
  /** Given the rest of the chain once, when it is linked: for queries that the handler asks by itself. The server never shows it such a query. */
  onLink?(next: Next): void;
  /** Told of every reply after it is sent, whoever made it; `reply` is what was sent. Must not throw, keep or change anything. */
  observe?(q: Query, reply: Reply): void;
  /** Whether this block takes the query at all; asked before the chain is entered, all filters of a block must agree (*view*). */
  filter?(q: Query): boolean;
  /** Before the first query; a rejection stops the start. */
  onStart?(): void | Promise<void>;
  /** After the last query, in reverse chain order. */
  onStop?(): void | Promise<void>;
  /**
   * The control part published something newer than `services.published` and than what came before. After `onStart`, between queries; the next one comes when this
   * has returned, or its promise has resolved. Where values come faster than that only the newest arrives. A fault is logged, and the handler goes on with what it has.
   */
  onPublished?(value: unknown): void | Promise<void>;
  /** Polled by *ready*; absent means always. */
  ready?(): boolean;
}

/** The control part of a plugin: one per occurrence, in the main thread. */
export interface Control {
  /**
   * Given to the data part as `services.published`: plain data and SharedArrayBuffers. Read once, when the control part is made; what is newer later goes through
   * `services.publish`.
   */
  readonly published?: unknown;
  /** Before the workers begin, which wait for it a second at most: fills what is published. A rejection is logged, no more. */
  onLoad?(): void | Promise<void>;
  onStart?(): void | Promise<void>;
  /** The process is about to stop; workers still serve until this resolves (lameduck). */
  onDrain?(): void | Promise<void>;
  /** A worker ended without being asked to; another one takes its index after this returns. For what it may have held in shared memory. */
  onWorkerExit?(worker: number): void;
  onStop?(): void | Promise<void>;
}

/** What a directive may set for its whole server block (*bind*, *root*, *debug*). Made fresh per block, filled in chain order. */
export interface BlockSettings {
  /** Numeric addresses to listen on, IPv6 without brackets; empty for every address of the machine. */
  addresses: string[];
  /** Base directory of relative file names. */
  root: string;
  /** Debug lines are printed and faults are not recovered from silently; process-wide once any block sets it. */
  isDebug: boolean;
  /** Faults are logged with their stack trace (*errors*; *debug* does so too); process-wide once any block sets it. */
  withStacks: boolean;
  /** Warnings for the operator, logged once when the configuration is taken. */
  readonly warnings: string[];
}

export interface Plugin<Config> {
  readonly name: string;
  /**
   * The plugin that this directive configures: it is given what is written here (`services.block.parts`) and does the work. Where that plugin is not written in
   * the block itself, it is there with its defaults. A part has a syntax and nothing else.
   */
  readonly partOf?: string;
  /** Third-party placement: the built-in plugin this one stands before or after. Built-ins are placed by plugins/order.ts. */
  readonly before?: string;
  readonly after?: string;
  /** Its handler answers other classes than IN; without one in the block those are refused. */
  readonly servesAllClasses?: boolean;
  readonly syntax: Syntax<Config>;
  /** Sets something for the whole server block, in the main thread and before anything is opened. */
  configure?(config: Config, settings: BlockSettings): void;
  /** Makes the data part. Absent for directives that only configure the server block (*bind*, *root*): they are no step of the chain. */
  setup?(config: Config, services: Services): Handler;
  /** Makes the control part. */
  control?(config: Config, services: ControlServices): Control;
}

/** Declares a plugin; the config type is inferred from `syntax`. */
export function definePlugin<Config>(plugin: Plugin<Config>): Plugin<Config> {
  return plugin;
}

// The plan of a running server as plain data: made once in the main thread from the configuration, given to every worker.
import type { Directive, Scheme } from '../corefile/model.js';

/** One address and port that is listened on, UDP and TCP for `dns`. */
export interface ListenerPlan {
  readonly scheme: Scheme;
  /** Numeric address, '' for every address of the machine. */
  readonly address: string;
  readonly port: number;
  /** As CoreDNS writes it in metrics: `dns://:53`, `dns://127.0.0.1:53`, `dns://[::1]:53`. */
  readonly text: string;
  /** Which block serves which zone here, in file order. */
  readonly routes: readonly RoutePlan[];
}

export interface RoutePlan {
  /** Lower case with final dot. */
  readonly zone: string;
  /** Index in `Plan.blocks`. */
  readonly block: number;
  /** Index in the block's `zones`. */
  readonly zoneIndex: number;
}

/** One handler of a chain: instance `instance` of those that the plugin's occurrences in the block make. */
export interface StepPlan {
  readonly plugin: string;
  readonly instance: number;
}

export interface BlockPlan {
  readonly zones: readonly string[];
  readonly view: string;
  readonly root: string;
  /** Indices in `Plan.listeners`. */
  readonly listeners: readonly number[];
  /** Every directive of the block as written, imports and environment expanded. */
  readonly directives: readonly Directive[];
  /** The chain, front to back. */
  readonly steps: readonly StepPlan[];
  /** 32-bit fingerprint of each step's rest of the chain (zones, view, everything below it), same length as `steps`. */
  readonly fingerprints: readonly number[];
}

export interface Plan {
  readonly listeners: readonly ListenerPlan[];
  readonly blocks: readonly BlockPlan[];
  /** Where each plugin named in `steps` is imported from: module specifier or file URL of its setup. */
  readonly modules: Readonly<Record<string, string>>;
  readonly isDebug: boolean;
  /** Faults are logged with their stack trace. */
  readonly withStacks: boolean;
}

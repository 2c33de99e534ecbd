// The names under which parts of the server are known to plugins that need more than `services`.
import { type Timers, token } from '../chain/services.js';
import type { SocketLayer } from '../system/sockets.js';
import type { Commands } from './commands.js';
import type { Endpoints, MetricSource, ProcessState } from './process.js';
import type { Signal } from './signal.js';

/** The worker's socket layer, for plugins that talk to other servers. In workers. */
export const SOCKETS = token<SocketLayer>('Sockets');

/** The worker's coarse timers. In workers. */
export const TIMERS = token<Timers>('Timers');

/** The state of the process as the server block sees it. In the main thread. */
export const PROCESS = token<ProcessState>('Process');

/** HTTP endpoints. In the main thread. */
export const ENDPOINTS = token<Endpoints>('Endpoints');

/** Every metric of every thread. In the main thread. */
export const METRIC_SOURCE = token<MetricSource>('MetricSource');

/** Raised when the servers that queries are sent to became others. In the main thread. */
export const UPSTREAM_CHANGES = token<Signal>('UpstreamChanges');

/** Commands of the operator to the running server. In the main thread. */
export const COMMANDS = token<Commands>('Commands');

// The names under which a worker's parts are known to plugins that need more than `services`.
import { type Timers, token } from '../chain/services.js';
import type { SocketLayer } from '../system/sockets.js';

/** The worker's socket layer, for plugins that talk to other servers. */
export const SOCKETS = token<SocketLayer>('Sockets');

/** The worker's coarse timers. */
export const TIMERS = token<Timers>('Timers');

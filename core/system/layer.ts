// Picks the socket layer: batched where libc can be called, plain dgram elsewhere.
import { createDgramLayer } from './dgram.js';
import { loadLibc } from './libc.js';
import { createMmsgLayer } from './mmsg.js';
import type { SocketLayer } from './sockets.js';

export interface LayerOptions {
  /** Instead of the best there is; 'mmsg' throws an Error with code ERR_NO_LIBC where it cannot work. */
  readonly force?: 'mmsg' | 'dgram';
}

/** A socket layer for the calling thread. */
export function createSocketLayer(options: LayerOptions = {}): SocketLayer {
  const kind = options.force ?? (isBatchedIo() ? 'mmsg' : 'dgram');
  return kind === 'mmsg' ? createMmsgLayer() : createDgramLayer();
}

/** Whether descriptors can be opened, duplicated and handed to workers: without it a port has one socket, so one worker. */
export function isBatchedIo(): boolean {
  return 'libc' in loadLibc();
}

/** For the start-up line: `batched I/O (recvmmsg, koffi 3.3.4)` or `plain dgram (koffi is not installed)`. */
export function describeIo(): string {
  const result = loadLibc();
  if ('libc' in result) return `batched I/O (recvmmsg, koffi ${result.libc.koffiVersion})`;
  return `plain dgram (${result.reason})`;
}

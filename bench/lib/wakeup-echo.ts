// An echo that learns in one of four ways that datagrams are there, and serves them alike: `node wakeup-echo.js KIND PORT`. What the socket layer could be
// built on: koffi's poll handle (what it uses), poll() through koffi's asynchronous calls, a thread that blocks, and dgram.
import { createRequire } from 'node:module';
import { createSocketLayer } from '../../core/system/layer.js';
import { requireLibc } from '../../core/system/libc.js';
import { EPOLL_CTL_ADD, EPOLL_EVENT_BYTES, EPOLLIN } from '../../core/system/linux.js';
import { MmsgSocket } from '../../core/system/mmsg-socket.js';
import { openUdp } from '../../core/system/open.js';
import { turnBack } from './turn-back.js';

const BATCH = 256;
const SLOT_BYTES = 4096;
const POLLIN = 1;

type Poll = {
  async(descriptors: Uint8Array, count: number, timeoutMs: number, done: () => void): void;
};

const [kind, port] = process.argv.slice(2);
const endpoint = { address: '127.0.0.1', port: Number(port) };
const ignore = (): void => {};

if (kind === 'handle' || kind === 'dgram') {
  const layer = createSocketLayer(kind === 'dgram' ? { force: 'dgram' } : {});
  const batch = layer.createBatch(BATCH, SLOT_BYTES);
  await layer.listen(undefined, endpoint, (socket) => turnBack(socket, batch));
  layer.start();
} else if (kind === 'poll' || kind === 'blocking') {
  const libc = requireLibc();
  const fd = openUdp(endpoint);
  const owner = { onBatch: ignore, onPendingError: ignore, onPause: ignore, onClose: ignore };
  const own = { localPort: endpoint.port, isConnected: false, isWildcard: false };
  const socket = new MmsgSocket(libc, owner, { fd, family: 4, ...own, onReadable: ignore });
  const batch = createSocketLayer().createBatch(BATCH, SLOT_BYTES);
  const drain = (): void => {
    while (turnBack(socket, batch) > 0);
  };
  if (kind === 'poll') pollForEver(fd, drain);
  else blockForEver(fd, drain);
}

/** One thread of libuv's pool waits in poll() and tells the event loop. */
function pollForEver(fd: number, drain: () => void): void {
  const koffi = createRequire(import.meta.url)('koffi') as {
    load(path: null): { func(name: string, result: string, args: string[]): Poll };
  };
  const poll = koffi.load(null).func('poll', 'int', ['void*', 'ulong', 'int']);
  const descriptor = new Uint8Array(8);
  new DataView(descriptor.buffer).setInt32(0, fd, true);
  descriptor[4] = POLLIN;
  const again = (): void => {
    drain();
    poll.async(descriptor, 1, -1, again);
  };
  again();
}

/** The thread does nothing else: no timers, no connections. */
function blockForEver(fd: number, drain: () => void): void {
  const libc = requireLibc();
  const epoll = libc.epoll_create1(0);
  const events = new Uint8Array(new SharedArrayBuffer(EPOLL_EVENT_BYTES));
  const event = new Uint8Array(EPOLL_EVENT_BYTES);
  event[0] = EPOLLIN;
  libc.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, event);
  for (;;) {
    libc.epoll_wait(epoll, libc.addressOf(events), 1, -1);
    drain();
  }
}

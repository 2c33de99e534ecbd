// The plain twin of mmsg.ts over node:dgram, one system call per datagram: for systems without koffi or Linux. Same behaviour, except that answers of a
// wildcard socket leave from the address the kernel's routes choose.
import { randomInt } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { constants } from 'node:os';
import { offsetsInKernels, type Place, placeForKernels } from '../simd/kernels.js';
import {
  addressForNode,
  decodeAddress,
  encodeAddress,
  familyOf,
  SOCKADDR_BYTES,
} from './address.js';
import { loadLibc } from './libc.js';
import { dupFd, listenError } from './open.js';
import type { Batch, Endpoint, SocketLayer, SocketStats, UdpSocket } from './sockets.js';

/** Datagrams a socket holds for its owner; later ones are dropped, as the kernel does when its buffer is full. */
const RECEIVE_LIMIT = 1024;
/** Datagrams of a socket that Node has not yet handed to the kernel, or that wait for the socket to be connected. */
const SEND_LIMIT = 1024;
/** Batches one socket may take in a turn while others wait. */
const BATCHES_PER_TURN = 4;
const BUFFER_BYTES = 4 << 20;
/** Ports tried at random for an outgoing socket before the kernel chooses. */
const PORT_TRIES = 16;
const FIRST_PORT = 1024;
const LAST_PORT = 65535;

export function createDgramLayer(): SocketLayer {
  return new DgramLayer();
}

class DgramLayer implements SocketLayer {
  readonly wakeup = -1;
  readonly isBatched = false;
  readonly #stats = { wakeups: 0, batches: 0 };
  /** Replaced, never changed: a hook may add or take out hooks. */
  #hooks: readonly (() => void)[] = [];
  #ready: DgramSocket[] = [];
  #isStarted = false;
  #isStopped = false;
  #isScheduled = false;
  #isFlushWanted = false;

  get stats(): SocketStats {
    return this.#stats;
  }

  createBatch(capacity: number, slotBytes: number, isForKernels = false): Batch {
    const slots = (size: number, place?: Place): Uint8Array[] => {
      const { memory, at } = place ?? { memory: new SharedArrayBuffer(capacity * size), at: 0 };
      return Array.from(
        { length: capacity },
        (_, i) => new Uint8Array(memory, at + i * size, size),
      );
    };
    const place = isForKernels ? placeForKernels(capacity * slotBytes) : undefined;
    return {
      capacity,
      data: slots(slotBytes, place),
      kernelAt: offsetsInKernels(place, capacity, 0, slotBytes),
      lengths: new Int32Array(capacity),
      peers: slots(SOCKADDR_BYTES),
      locals: slots(SOCKADDR_BYTES),
    };
  }

  async listen(
    fd: number | undefined,
    endpoint: Endpoint,
    onReadable: (socket: UdpSocket) => void,
  ): Promise<UdpSocket> {
    const socket = new DgramSocket(this, familyOf(endpoint.address), onReadable);
    await socket.bind(fd, endpoint);
    return socket;
  }

  connect(
    remote: Endpoint,
    local: string | undefined,
    onReadable: (socket: UdpSocket) => void,
  ): UdpSocket {
    const socket = new DgramSocket(this, familyOf(remote.address), onReadable);
    socket.connect(remote, local);
    return socket;
  }

  onFlush(hook: () => void): () => void {
    this.#hooks = [...this.#hooks, hook];
    return () => {
      this.#hooks = this.#hooks.filter((other) => other !== hook);
    };
  }

  requestFlush(): void {
    this.#isFlushWanted = true;
    this.#schedule();
  }

  start(): void {
    this.#isStarted = true;
    if (this.#ready.length > 0) this.#schedule();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#ready = [];
  }

  /** A socket has something for its owner. */
  onReady(socket: DgramSocket): void {
    this.#ready.push(socket);
    if (this.#isStarted) this.#schedule();
  }

  onBatch(): void {
    this.#stats.batches++;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#isScheduled = false;
    if (this.#isStopped) return;
    const ready = this.#ready;
    this.#ready = [];
    if (ready.length > 0) this.#stats.wakeups++;
    for (const socket of this.#isStarted ? ready : []) socket.serve();
    if (ready.length > 0 || this.#isFlushWanted) {
      this.#isFlushWanted = false;
      for (const hook of this.#hooks) hook();
    }
  };
}

interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: RemoteInfo;
}

class DgramSocket implements UdpSocket {
  readonly family: 4 | 6;
  readonly #layer: DgramLayer;
  readonly #onReadable: (socket: UdpSocket) => void;
  #socket: Socket;
  #received: Datagram[] = [];
  #isReady = false;
  #isClosed = false;
  #errno = 0;
  #localPort = 0;
  /** Datagrams on their way through Node. */
  #unsent = 0;
  /** Sends made before the socket was connected; undefined on a listening or connected one. */
  #waiting: Uint8Array[] | undefined;
  #isConnected = false;
  /** Who a connected socket is for, as a socket address. */
  readonly #remote = new Uint8Array(SOCKADDR_BYTES);

  constructor(layer: DgramLayer, family: 4 | 6, onReadable: (socket: UdpSocket) => void) {
    this.#layer = layer;
    this.family = family;
    this.#onReadable = onReadable;
    this.#socket = this.#create();
  }

  /** 0 until a connected socket has been bound, shortly after `connect`. */
  get localPort(): number {
    return this.#localPort;
  }

  bind(fd: number | undefined, endpoint: Endpoint): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => {
        this.close();
        reject(listenError(endpoint, 'udp', -(error.errno ?? 0)));
      };
      socket.removeAllListeners('error');
      socket.once('error', onError);
      const onBound = (): void => {
        socket.off('error', onError);
        socket.on('error', this.#onError);
        this.#localPort = socket.address().port;
        grow(socket);
        resolve();
      };
      if (fd === undefined) {
        socket.bind({ address: endpoint.address, port: endpoint.port, exclusive: true }, onBound);
      } else {
        socket.bind({ fd: 'libc' in loadLibc() ? dupFd(fd) : fd }, onBound);
      }
    });
  }

  connect(remote: Endpoint, local: string | undefined): void {
    this.#isConnected = true;
    encodeAddress(remote, this.#remote);
    this.#waiting = [];
    const to = { ...remote, address: addressForNode(remote.address) };
    this.#bindAtRandom(to, addressForNode(local ?? (this.family === 4 ? '0.0.0.0' : '::')), 0);
  }

  receive(into: Batch): number {
    if (this.#errno !== 0) {
      const errno = this.#errno;
      this.#errno = 0;
      return -errno;
    }
    const count = Math.min(into.capacity, this.#received.length);
    if (count === 0) return 0;
    const taken = this.#received.splice(0, count);
    for (let i = 0; i < count; i++) put(taken[i] as Datagram, into, i);
    this.#layer.onBatch();
    return count;
  }

  send(from: Batch, first: number, count: number): number {
    let sent = 0;
    for (let i = first; i < first + count; i++) {
      const length = from.lengths[i] as number;
      const slot = from.data[i] as Uint8Array;
      if (this.#isClosed || length < 0 || length > slot.length) continue;
      if (this.#unsent + (this.#waiting?.length ?? 0) >= SEND_LIMIT) break;
      const bytes = slot.slice(0, length);
      if (this.#isConnected) this.#sendConnected(bytes);
      else if (!this.#sendTo(bytes, decodeAddress(from.peers[i] as Uint8Array))) continue;
      sent++;
    }
    return sent;
  }

  /** Node cannot stop reading a socket it sends on: what still comes is dropped. */
  pause(): void {
    this.#socket.off('message', this.#onMessage);
    this.#received = [];
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#received = [];
    this.#waiting = undefined;
    this.#socket.close();
  }

  /** One share of a turn. */
  serve(): void {
    this.#isReady = false;
    for (let i = 0; i < BATCHES_PER_TURN && this.#hasSomething; i++) this.#onReadable(this);
    if (this.#hasSomething) this.#announce();
  }

  get #hasSomething(): boolean {
    return !this.#isClosed && (this.#received.length > 0 || this.#errno !== 0);
  }

  #create(): Socket {
    const socket = createSocket({
      type: this.family === 4 ? 'udp4' : 'udp6',
      ipv6Only: this.family === 6,
      // Every address here is numeric already: no thread of the resolver pool, and no tick, per datagram.
      lookup: (address, _options, done) => done(null, address, this.family),
    });
    socket.on('message', this.#onMessage);
    socket.on('error', this.#onError);
    return socket;
  }

  #bindAtRandom(remote: Endpoint, address: string, tries: number): void {
    const socket = this.#socket;
    const port = tries < PORT_TRIES ? randomInt(FIRST_PORT, LAST_PORT + 1) : 0;
    const onBindError = (error: NodeJS.ErrnoException): void => {
      // A port may be reserved for others (net.ipv4.ip_unprivileged_port_start, SELinux).
      const isTaken = error.code === 'EADDRINUSE' || error.code === 'EACCES';
      if (!isTaken || port === 0) return;
      // The general handler must not report what is tried again.
      this.#errno = 0;
      socket.close();
      this.#socket = this.#create();
      this.#bindAtRandom(remote, address, tries + 1);
    };
    socket.once('error', onBindError);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', onBindError);
      if (this.#isClosed) return;
      this.#localPort = socket.address().port;
      socket.connect(remote.port, remote.address, () => this.#sendWaiting());
    });
  }

  #sendWaiting(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    if (this.#isClosed) return;
    for (const bytes of waiting) this.#sendConnected(bytes);
  }

  #sendConnected(bytes: Uint8Array): void {
    if (this.#waiting !== undefined) {
      this.#waiting.push(bytes);
      return;
    }
    this.#unsent++;
    this.#socket.send(bytes, this.#onSent);
  }

  #sendTo(bytes: Uint8Array, peer: Endpoint | undefined): boolean {
    if (peer === undefined || peer.port === 0) return false;
    this.#unsent++;
    this.#socket.send(bytes, peer.port, peer.address, this.#onSent);
    return true;
  }

  readonly #onSent = (error: Error | null): void => {
    this.#unsent--;
    if (error !== null && this.#isConnected) this.#onError(error);
  };

  readonly #onMessage = (bytes: Uint8Array, from: RemoteInfo): void => {
    if (this.#received.length >= RECEIVE_LIMIT) return;
    // Before a socket is connected anybody may write to it.
    if (this.#isConnected && !this.#isRemote(from)) return;
    this.#received.push({ bytes, from });
    this.#announce();
  };

  #isRemote(from: RemoteInfo): boolean {
    const bytes = new Uint8Array(SOCKADDR_BYTES);
    encodeAddress(from, bytes);
    return bytes.every((octet, i) => octet === this.#remote[i]);
  }

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    this.#errno = error.errno === undefined ? constants.errno.EIO : Math.abs(error.errno);
    this.#announce();
  };

  #announce(): void {
    if (this.#isReady || this.#isClosed) return;
    this.#isReady = true;
    this.#layer.onReady(this);
  }
}

function put(datagram: Datagram, into: Batch, slot: number): void {
  const { bytes, from } = datagram;
  const data = into.data[slot] as Uint8Array;
  const isWhole = bytes.length <= data.length;
  data.set(isWhole ? bytes : bytes.subarray(0, data.length));
  into.lengths[slot] = isWhole ? bytes.length : -1;
  encodeAddress(from, into.peers[slot] as Uint8Array);
  (into.locals[slot] as Uint8Array)[0] = 0;
}

/** Larger buffers where the system allows them. */
function grow(socket: Socket): void {
  try {
    socket.setRecvBufferSize(BUFFER_BYTES);
    socket.setSendBufferSize(BUFFER_BYTES);
  } catch {
    // The system's own size serves as well, with more loss under load.
  }
}

// The socket layer: batches of datagrams over shared slots. Interfaces only; mmsg.ts (Linux, koffi) and dgram.ts implement them.

/** Address and port of one side. `address` is a numeric IPv4 or IPv6 address, with %zone for link-local ones. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/**
 * Packet slots for one batch, reused for every batch. Slot i has its bytes in `data[i]`, its length in `lengths[i]` and the other side's
 * socket address (sockaddr_in or sockaddr_in6, 28 bytes) in `peers[i]`.
 */
export interface Batch {
  readonly capacity: number;
  /** Whole slots, each `slotBytes` long, over one SharedArrayBuffer. */
  readonly data: readonly Uint8Array[];
  /** Where the name kernels of this thread see each slot (core/simd/kernels.ts), -1 where they do not. */
  readonly kernelAt: Int32Array;
  readonly lengths: Int32Array;
  readonly peers: readonly Uint8Array[];
  /** Local address a datagram came to or must go from, as 28-byte socket address; family 0 when the socket's own. Wildcard sockets only. */
  readonly locals: readonly Uint8Array[];
}

/** A bound or connected UDP socket. Nothing here throws: the network's faults are return values. */
export interface UdpSocket {
  readonly family: 4 | 6;
  readonly localPort: number;
  /**
   * Takes waiting datagrams into the first slots of `into` and returns how many: 0 when none wait, negative errno on a socket error
   * (ECONNREFUSED on a connected socket, say). A datagram longer than a slot fills it and has its `lengths[i]` set to -1.
   */
  receive(into: Batch): number;
  /**
   * Sends slots `first` to `first + count` - 1. Returns how many were taken by the kernel; the rest is dropped (full buffer) and counted by the caller.
   * On a connected socket `peers` is ignored.
   */
  send(from: Batch, first: number, count: number): number;
  /** Stops receiving for good; `send` still works. What arrives stays in the kernel for whoever else has the descriptor. */
  pause(): void;
  close(): void;
}

/** Counts for metrics, since start. */
export interface SocketStats {
  readonly wakeups: number;
  readonly batches: number;
}

/**
 * One per worker. Drives every socket of the worker: waits for readiness, calls `onReadable`, and after each round the flush hooks, in which
 * queued datagrams are sent.
 */
export interface SocketLayer {
  /** True for recvmmsg/sendmmsg, false for plain dgram. */
  readonly isBatched: boolean;
  /** The epoll set that wakes this thread up, for `muffle`; -1 without. */
  readonly wakeup: number;
  readonly stats: SocketStats;
  createBatch(capacity: number, slotBytes: number, isForKernels?: boolean): Batch;
  /** A listening socket on a descriptor the main thread opened (mmsg, dgram), or on `endpoint` when there is no descriptor. */
  listen(
    fd: number | undefined,
    endpoint: Endpoint,
    onReadable: (socket: UdpSocket) => void,
  ): Promise<UdpSocket>;
  /** A socket connected to `remote` from a random source port (or `local`). Synchronous on mmsg. Throws an Error with `code` when the kernel refuses. */
  connect(
    remote: Endpoint,
    local: string | undefined,
    onReadable: (socket: UdpSocket) => void,
  ): UdpSocket;
  /** Runs `hook` after every round of readable sockets, and after `requestFlush`. The function it gives takes the hook out again. */
  onFlush(hook: () => void): () => void;
  /** Asks for a round of flush hooks soon, for sends queued outside of a readable callback (timers, TCP). */
  requestFlush(): void;
  /** Starts reading. Before this nothing is received. */
  start(): void;
  /** Stops waiting and lets the event loop end; sockets must be closed by their owners. Resolves when no system call is pending. */
  stop(): Promise<void>;
}

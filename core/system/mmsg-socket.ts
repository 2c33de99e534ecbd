// Hot path. One UDP socket over recvmmsg and sendmmsg.
import { type MmsgBatch, nameLengthOf } from './batch.js';
import type { Libc } from './libc.js';
import {
  EAGAIN,
  EINTR,
  EINVAL,
  EIO,
  EMSGSIZE,
  ENOBUFS,
  MSG_DONTWAIT,
  SOL_UDP,
  UDP_SEGMENT,
} from './linux.js';
import { HEADER_BYTES } from './message-layout.js';
import type { Batch, UdpSocket } from './sockets.js';

/** Sends smaller than this are not worth grouping. */
const GROUPED_FROM = 8;
/** A grouped send must save this share of its messages; otherwise the next so many sends are left ungrouped. */
const WORTHWHILE = 0.1;
const UNGROUPED_SENDS = 32;
/** Groups refused whose datagrams went alone: after so many the way out of this host cannot segment (no checksum offload, IPsec). */
const MAX_REFUSED_GROUPS = 8;

/** What a send of a group fails with when the group, not its datagrams, is at fault. */
const UNCUTTABLE: readonly number[] = [EIO, EINVAL, EMSGSIZE];

/** Results of `#offer` that are no counts. */
const REFUSED = 0;
const STOP = -1;

/** What a socket needs of its layer. */
export interface SocketOwner {
  /** A call failed and the socket's callback should hear of it. */
  onPendingError(socket: MmsgSocket): void;
  /** A receive call brought `count` datagrams; `sender` tells apart who sent the first. */
  onBatch(count: number, sender: number): void;
  onPause(socket: MmsgSocket): void;
  onClose(socket: MmsgSocket): void;
}

export interface MmsgSocketOptions {
  readonly fd: number;
  readonly family: 4 | 6;
  readonly localPort: number;
  readonly isConnected: boolean;
  /** Local addresses are received and sent as control messages. */
  readonly isWildcard: boolean;
  readonly onReadable: (socket: UdpSocket) => void;
  /** False sends every datagram by itself; else those alike go in groups (segments.ts) where that pays. */
  readonly isGrouping?: boolean;
}

export class MmsgSocket implements UdpSocket {
  readonly fd: number;
  readonly family: 4 | 6;
  readonly localPort: number;
  readonly onReadable: (socket: UdpSocket) => void;
  isOpen = true;
  readonly #libc: Libc;
  readonly #owner: SocketOwner;
  readonly #isConnected: boolean;
  readonly #isWildcard: boolean;
  readonly #nameLength: number;
  /** The local port as the upper half of a socket address's first word. */
  readonly #portWord: number;
  /** Datagrams may be sent in groups; not those of a wildcard socket, which have control messages of their own. */
  #isGrouping: boolean;
  #ungroupedSends = 0;
  #refusedGroups = 0;
  /** An error that a send met; the next receive gives it. */
  #pendingErrno = 0;

  constructor(libc: Libc, owner: SocketOwner, options: MmsgSocketOptions) {
    this.#libc = libc;
    this.#owner = owner;
    this.fd = options.fd;
    this.family = options.family;
    this.localPort = options.localPort;
    this.onReadable = options.onReadable;
    this.#isConnected = options.isConnected;
    this.#isWildcard = options.isWildcard;
    this.#nameLength = options.isConnected ? 0 : nameLengthOf(options.family);
    this.#isGrouping =
      options.isGrouping !== false &&
      !options.isWildcard &&
      libc.setsockopt(this.fd, SOL_UDP, UDP_SEGMENT, new Uint8Array(4), 4) === 0;
    this.#portWord = ((this.localPort >> 8) | ((this.localPort & 0xff) << 8)) << 16;
  }

  receive(into: Batch): number {
    const batch = into as MmsgBatch;
    if (!this.isOpen) return 0;
    if (this.#pendingErrno !== 0) {
      const errno = this.#pendingErrno;
      this.#pendingErrno = 0;
      return -errno;
    }
    batch.askForLocals(this.#isWildcard);
    const { capacity, receiveHeaders } = batch;
    const count = this.#libc.recvmmsg(this.fd, receiveHeaders, capacity, MSG_DONTWAIT, 0);
    if (count < 0) {
      const errno = this.#libc.errno();
      return errno === EAGAIN || errno === EINTR ? 0 : -errno;
    }
    batch.takeReceived(count, this.#portWord);
    this.#owner.onBatch(count, this.#isConnected ? this.fd : this.#senderOf(batch));
    return count;
  }

  /** Port and the end of the address that the first datagram came from. */
  #senderOf(batch: MmsgBatch): number {
    const peer = batch.peers[0]!;
    const at = this.family === 4 ? 6 : 22;
    return (peer[2]! << 24) | (peer[3]! << 16) | (peer[at]! << 8) | peer[at + 1]!;
  }

  send(from: Batch, first: number, count: number): number {
    const batch = from as MmsgBatch;
    if (!this.isOpen) return 0;
    if (this.#isGrouping && count >= GROUPED_FROM && --this.#ungroupedSends < 0) {
      const groups = batch.segments.group(first, count, this.#nameLength);
      if (groups <= count * (1 - WORTHWHILE)) {
        return this.#sendGroups(batch, first, count, groups);
      }
      this.#ungroupedSends = UNGROUPED_SENDS;
    }
    return this.#sendEach(batch, first, count);
  }

  #sendEach(batch: MmsgBatch, first: number, count: number): number {
    batch.prepareSend(first, count, this.#nameLength, this.#isWildcard);
    const end = first + count;
    let sent = 0;
    for (let next = first; next < end; ) {
      const taken = this.#offer(batch.sendHeaders + next * HEADER_BYTES, end - next, false);
      if (taken === STOP) break;
      sent += taken;
      next += taken === REFUSED ? 1 : taken;
    }
    return sent;
  }

  #sendGroups(batch: MmsgBatch, first: number, count: number, groups: number): number {
    const { segments } = batch;
    let sent = 0;
    let next = 0;
    while (next < groups) {
      const taken = this.#offer(segments.headers + next * HEADER_BYTES, groups - next, true);
      if (taken === STOP) break;
      if (taken === REFUSED) sent += this.#sendMembers(batch, next++);
      else for (const end = next + taken; next < end; next++) sent += segments.sizeOf(next);
    }
    // Groups go in the order of their first slots, so all before the first slot of the first group left are sent.
    if (this.#nameLength === 0 && next < groups) return segments.memberOf(next, 0) - first;
    return Math.min(sent, count);
  }

  /** A group was refused: sends its datagrams one by one, which tells an unreachable peer from a way out that cannot segment. */
  #sendMembers(batch: MmsgBatch, group: number): number {
    const { segments } = batch;
    const size = segments.sizeOf(group);
    if (size === 1) return 0;
    let sent = 0;
    for (let i = 0; i < size; i++) sent += this.#sendEach(batch, segments.memberOf(group, i), 1);
    if (sent > 0 && ++this.#refusedGroups === MAX_REFUSED_GROUPS) this.#isGrouping = false;
    return sent;
  }

  /** Gives messages to the kernel: how many it took, REFUSED when it will not have the first, STOP when it will take no more. */
  #offer(headers: number, count: number, isGrouped: boolean): number {
    for (let tries = 0; ; ) {
      const taken = this.#libc.sendmmsg(this.fd, headers, count, MSG_DONTWAIT);
      if (taken > 0) return taken;
      const errno = this.#libc.errno();
      if (errno === EINTR) continue;
      // A full buffer would refuse the rest as well.
      if (errno === EAGAIN || errno === ENOBUFS) return STOP;
      // One peer of many, or a group that cannot be cut.
      if (this.#nameLength > 0 || (isGrouped && UNCUTTABLE.includes(errno))) return REFUSED;
      // All go to one peer. The error may be an earlier message's (ICMP), which this call has cleared: one more try, and the owner hears of it.
      this.#pendingErrno = errno;
      this.#owner.onPendingError(this);
      if (++tries === 2) return STOP;
    }
  }

  pause(): void {
    if (this.isOpen) this.#owner.onPause(this);
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#owner.onClose(this);
  }
}

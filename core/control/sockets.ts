// The sockets of the process: opened once, before any worker, and kept until the end, so that a port stays open whatever happens to a worker.
//
//   UDP: one socket per worker and endpoint, all bound with SO_REUSEPORT; the kernel spreads clients over them. A worker that died finds
//        its queries still queued in its socket. On request the processor that received a datagram decides instead (system/steering.ts).
//   TCP: one listening socket per endpoint; each worker accepts from a duplicate of its own, because it closes what it is given.
import { networkInterfaces } from 'node:os';
import type { ListenerPlan } from '../chain/plan.js';
import type { ListenSocket } from '../server/data-plane.js';
import { endpointText, isWildcard } from '../system/address.js';
import { loadLibc } from '../system/libc.js';
import { checkUdpFree, closeFd, dupFd, endpointsOf, openTcp, openUdp } from '../system/open.js';
import type { Endpoint } from '../system/sockets.js';
import { steerByCpu } from '../system/steering.js';

/** Connections the kernel holds while all workers are busy; it lowers what the system does not grant (net.core.somaxconn). */
const TCP_BACKLOG = 1024;

/** What one worker serves. TCP descriptors are its own from then on. */
export interface WorkerSockets {
  readonly udp: readonly ListenSocket[];
  readonly tcp: readonly ListenSocket[];
}

export interface ProcessSockets {
  /** Whether descriptors can be given to workers; without it there can be one worker, which opens the sockets itself. */
  readonly isShared: boolean;
  /** Whether the receiving processor chooses the worker, on every UDP port. */
  readonly isSteered: boolean;
  /** The sockets of a worker that starts. */
  forWorker(worker: number): WorkerSockets;
  close(): void;
}

/** Whether sockets can be opened here for other threads. Loads libc and nothing else: this is on the way to the first answer. */
export function canShareSockets(): boolean {
  return 'libc' in loadLibc();
}

/**
 * Opens every listener for `workers` workers. Throws an Error that names the address when one cannot be had; nothing stays open then. With the processor of
 * each worker in `steerTo`, datagrams go to the worker of the one that received them.
 */
export function openSockets(
  listeners: readonly ListenerPlan[],
  workers: number,
  steerTo: readonly number[] = [],
): ProcessSockets {
  const bases = listeners.flatMap((plan, listener) => basesOf(plan, listener));
  return canShareSockets() ? new OpenSockets(bases, workers, steerTo) : ownSockets(bases);
}

/** An address as it was asked for; a listener on every address has one for IPv4 and one for IPv6. */
interface Base {
  readonly listener: number;
  readonly endpoint: Endpoint;
}

function basesOf({ address, port }: ListenerPlan, listener: number): Base[] {
  const addresses = address !== '' ? [address] : hasIPv6() ? ['0.0.0.0', '::'] : ['0.0.0.0'];
  return addresses.map((own) => ({ listener, endpoint: { address: own, port } }));
}

function hasIPv6(): boolean {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.some(({ family }) => family === 'IPv6');
}

function ownSockets(bases: readonly Base[]): ProcessSockets {
  const sockets = bases.map((base) => ({ ...base, fd: undefined }));
  return {
    isShared: false,
    isSteered: false,
    forWorker: () => ({ udp: sockets, tcp: sockets }),
    close: () => {},
  };
}

class OpenSockets implements ProcessSockets {
  readonly isShared = true;
  readonly isSteered: boolean;
  readonly #udp: (ListenSocket & { readonly fd: number })[][] = [];
  readonly #tcp: (ListenSocket & { readonly fd: number })[] = [];

  constructor(bases: readonly Base[], workers: number, steerTo: readonly number[]) {
    try {
      // All of them before the first is opened: with SO_REUSEPORT nobody would notice that another server has the port.
      for (const { endpoint } of bases) checkUdpFree(endpoint);
      for (const { listener, endpoint } of bases) {
        // A wildcard and one of its addresses can only listen side by side if both say so.
        const reusePort = bases.some((other) => isBeside(endpoint, other.endpoint));
        this.#tcp.push({ listener, endpoint, fd: openTcp(endpoint, TCP_BACKLOG, { reusePort }) });
      }
      const targets = bases.flatMap((base) => udpTargets(base, bases));
      for (let worker = 0; worker < workers; worker++) this.#udp.push(openAll(targets));
      this.isSteered = steerTo.length > 0 && steerAll(this.#udp, steerTo);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  forWorker(worker: number): WorkerSockets {
    const tcp = this.#tcp.map((socket) => ({ ...socket, fd: dupFd(socket.fd) }));
    return { udp: this.#udp[worker] ?? [], tcp };
  }

  close(): void {
    for (const { fd } of [...this.#udp.flat(), ...this.#tcp]) closeFd(fd);
    this.#udp.length = 0;
    this.#tcp.length = 0;
  }
}

/** Whether one of the two is a wildcard of the other's family, on the same port. */
function isBeside(a: Endpoint, b: Endpoint): boolean {
  const isSameFamily = a.address.includes(':') === b.address.includes(':');
  return (
    a.port === b.port &&
    isSameFamily &&
    a.address !== b.address &&
    (isWildcard(a.address) || isWildcard(b.address))
  );
}

interface Target extends Base {
  /** The address may be gone or not usable yet; its wildcard catches what comes to it. */
  readonly isOptional: boolean;
}

/** A wildcard also gets a socket per local address, but for those that another listener of the port names. */
function udpTargets({ listener, endpoint }: Base, bases: readonly Base[]): Target[] {
  const isNamed = ({ address, port }: Endpoint): boolean =>
    bases.some((base) => base.endpoint.address === address && base.endpoint.port === port);
  return endpointsOf(endpoint)
    .map((target, i) => ({ listener, endpoint: target, isOptional: i > 0 }))
    .filter(({ endpoint: own, isOptional }) => !isOptional || !isNamed(own));
}

function openAll(targets: readonly Target[]): (ListenSocket & { readonly fd: number })[] {
  const opened: (ListenSocket & { readonly fd: number })[] = [];
  for (const { listener, endpoint, isOptional } of targets) {
    try {
      opened.push({ listener, endpoint, fd: openUdp(endpoint, { reusePort: true }) });
    } catch (error) {
      if (isOptional && (error as NodeJS.ErrnoException).code === 'EADDRNOTAVAIL') continue;
      for (const { fd } of opened) closeFd(fd);
      throw error;
    }
  }
  return opened;
}

/** Steers every port; false when the kernel refuses. Where a worker could not open an optional address, the sockets behind it have moved up. */
function steerAll(
  sockets: readonly (readonly (ListenSocket & { readonly fd: number })[])[],
  steerTo: readonly number[],
): boolean {
  const ports = new Map<string, { readonly fd: number; readonly cpus: number[] }>();
  for (const [worker, own] of sockets.entries()) {
    for (const { endpoint, fd } of own) {
      const name = endpointText(endpoint);
      const port = ports.get(name) ?? { fd, cpus: [] };
      port.cpus.push(steerTo[worker] ?? -1);
      ports.set(name, port);
    }
  }
  return [...ports.values()].every(({ fd, cpus }) => steerByCpu(fd, cpus));
}

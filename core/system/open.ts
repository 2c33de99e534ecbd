// Opens the sockets that the main thread hands to its workers, and knows which ones a wildcard listener needs.
import { networkInterfaces } from 'node:os';
import { addressBytes, endpointText, familyOf, isWildcard, SOCKADDR_BYTES } from './address.js';
import { requireLibc, systemError } from './libc.js';
import {
  AF_INET,
  AF_INET6,
  F_DUPFD_CLOEXEC,
  IP_MTU_DISCOVER,
  IP_PKTINFO,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_MTU_DISCOVER,
  IPV6_RECVPKTINFO,
  IPV6_V6ONLY,
  PMTUDISC_OMIT,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from './linux.js';
import type { Endpoint } from './sockets.js';

/** A pause of 10 ms at 300,000 queries/s is 3,000 datagrams, each charged with its skb (768 bytes at least): 4 MB hold them. */
const BUFFER_BYTES = 4 << 20;

type Transport = 'udp' | 'tcp';

export interface PortOptions {
  /** Lets further sockets share the port: one per worker, or addresses beside a wildcard. */
  readonly reusePort?: boolean;
}

/**
 * A non-blocking UDP socket bound to `endpoint`. On a wildcard address it delivers the local address of each datagram. Throws an Error with
 * `code` and a message that names address and port.
 */
export function openUdp(endpoint: Endpoint, options: PortOptions = {}): number {
  const family = familyOf(endpoint.address);
  const address = addressBytes(endpoint);
  const fd = makeSocket(family, SOCK_DGRAM);
  if (options.reusePort) setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  setBuffers(fd);
  if (family === 4) setOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_OMIT);
  else setOption(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_OMIT);
  if (isWildcard(endpoint.address)) {
    if (family === 4) setOption(fd, IPPROTO_IP, IP_PKTINFO, 1);
    else setOption(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  }
  bindTo(fd, address, endpoint, 'udp');
  return fd;
}

/** A non-blocking listening TCP socket. Throws like `openUdp`. `net.Server.listen({ fd })` takes it over, so give each server a `dupFd` of its own. */
export function openTcp(endpoint: Endpoint, backlog: number, options: PortOptions = {}): number {
  const libc = requireLibc();
  const address = addressBytes(endpoint);
  const fd = makeSocket(familyOf(endpoint.address), SOCK_STREAM);
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (options.reusePort) setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  bindTo(fd, address, endpoint, 'tcp');
  if (libc.listen(fd, backlog) < 0) throw failed(fd, endpoint, 'tcp', libc.errno());
  return fd;
}

/**
 * Throws what `openUdp` would throw when the port is taken by another process. With `reusePort` a second server of the same user could open
 * it as well and take half of the queries, so ask before the first socket of a port is opened.
 */
export function checkUdpFree(endpoint: Endpoint): void {
  closeFd(openUdp(endpoint));
}

/** The port a socket is bound to: the kernel's choice when 0 was asked for. */
export function localPortOf(fd: number): number {
  const libc = requireLibc();
  const address = new Uint8Array(SOCKADDR_BYTES);
  const length = new Uint8Array(new Uint32Array([SOCKADDR_BYTES]).buffer);
  if (libc.getsockname(fd, address, length) < 0) {
    throw systemError('cannot read the local port', libc.errno());
  }
  return ((address[2] as number) << 8) | (address[3] as number);
}

/** Another descriptor of the same socket, closed on exec. */
export function dupFd(fd: number): number {
  const libc = requireLibc();
  const copy = libc.fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw systemError('cannot duplicate a socket', libc.errno());
  return copy;
}

export function closeFd(fd: number): void {
  requireLibc().close(fd);
}

/** Numeric addresses of this host's interfaces, IPv4 first; without link-local IPv6 ones, which need a zone. Re-read on every call. */
export function localAddresses(): string[] {
  const found = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const usable = found.filter((a) => a.family === 'IPv4' || a.scopeid === 0);
  const sorted = usable.sort((a, b) => (a.family < b.family ? -1 : a.family > b.family ? 1 : 0));
  return [...new Set(sorted.map((a) => a.address))];
}

/**
 * What to open for a listener. A plain address is itself. A wildcard becomes itself, first, and one endpoint per local address of its family: the kernel
 * prefers a socket bound to the address asked, which needs no control messages (7 % of the cost of an answer), and the wildcard catches the rest, such as
 * 127.0.0.2 or an address added later. All of them need `reusePort`. With port 0, open the first and use its port for the others.
 * An address can vanish or still be tentative: EADDRNOTAVAIL on any but the first is no error, the wildcard serves it.
 */
export function endpointsOf(endpoint: Endpoint): Endpoint[] {
  if (!isWildcard(endpoint.address)) return [endpoint];
  const family = familyOf(endpoint.address);
  const own = localAddresses().filter((address) => familyOf(address) === family);
  return [endpoint, ...own.map((address) => ({ address, port: endpoint.port }))];
}

/** The Error of a failed listener, for every way one can be opened: `cannot listen on 127.0.0.1:53/udp: permission denied (EACCES)`. */
export function listenError(endpoint: Endpoint, transport: Transport, errno: number): Error {
  return systemError(`cannot listen on ${endpointText(endpoint)}/${transport}`, errno);
}

/** Asks for large buffers, past the system's limit where we may (CAP_NET_ADMIN). The kernel lowers what it does not grant. */
export function setBuffers(fd: number): void {
  if (!setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)) {
    setOption(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES);
  }
  if (!setOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES)) {
    setOption(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES);
  }
}

/** A non-blocking IPv4 or IPv6-only socket; throws when the kernel has none to give. */
export function makeSocket(family: 4 | 6, type: number): number {
  const libc = requireLibc();
  const domain = family === 4 ? AF_INET : AF_INET6;
  const fd = libc.socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw systemError('cannot make a socket', libc.errno());
  if (family === 6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  return fd;
}

function bindTo(fd: number, address: Uint8Array, endpoint: Endpoint, transport: Transport): void {
  const libc = requireLibc();
  if (libc.bind(fd, address, address.length) < 0) {
    throw failed(fd, endpoint, transport, libc.errno());
  }
}

function failed(fd: number, endpoint: Endpoint, transport: Transport, errno: number): Error {
  closeFd(fd);
  return listenError(endpoint, transport, errno);
}

function setOption(fd: number, level: number, name: number, value: number): boolean {
  const bytes = new Uint8Array(new Int32Array([value]).buffer);
  return requireLibc().setsockopt(fd, level, name, bytes, bytes.length) === 0;
}

// Tells systemd about the state of the service (sd_notify protocol: one datagram to the socket that NOTIFY_SOCKET names).
import { loadLibc } from './libc.js';
import { AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM } from './linux.js';

/** sun_path of sockaddr_un. */
const PATH_BYTES = 108;

/** What systemd understands; several lines may be joined by a line feed. */
export type ServiceState = 'READY=1' | 'STOPPING=1' | 'RELOADING=1' | `STATUS=${string}`;

/** Sends `state`; false when nobody asked for it (no NOTIFY_SOCKET), or it could not be delivered. Never throws. */
export function notifySystem(state: ServiceState, path = process.env.NOTIFY_SOCKET): boolean {
  const result = loadLibc();
  const address = path === undefined ? undefined : unixAddress(path);
  if (!('libc' in result) || address === undefined) return false;
  const { libc } = result;
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const bytes = Buffer.from(state);
  const sent = libc.sendto(fd, bytes, bytes.length, 0, address, address.length);
  libc.close(fd);
  return sent === bytes.length;
}

/** sockaddr_un of a file name or, with a leading @, of an abstract name; undefined for anything else (vsock) or when too long. */
function unixAddress(path: string): Uint8Array | undefined {
  const name = Buffer.from(path);
  if (!(path.startsWith('/') || path.startsWith('@')) || name.length >= PATH_BYTES)
    return undefined;
  const address = new Uint8Array(2 + name.length + (path.startsWith('@') ? 0 : 1));
  address[0] = AF_UNIX;
  address.set(name, 2);
  if (path.startsWith('@')) address[2] = 0;
  return address;
}

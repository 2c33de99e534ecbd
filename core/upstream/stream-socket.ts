// Opens TCP and TLS connections to an upstream.
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { addressForNode } from '../system/address.js';
import type { Endpoint } from '../system/sockets.js';
import { pinFault, type StreamTls, secureOptions } from './tls.js';

/** What a pool keeps from one TLS handshake to the next. */
export interface TlsMemory {
  /** To resume the session with (RFC 8446 section 2.2): of a server that was found to be the one meant. */
  session: Buffer | undefined;
}

/** What TLS needs beyond an address. */
export interface SecureStream {
  readonly tls: StreamTls;
  /** Protocols to be spoken over it, the preferred one first. */
  readonly alpn: readonly string[];
  readonly memory: TlsMemory;
}

/**
 * A connection to `remote` that is being opened; what is written is kept until it is. A server that is not the one meant gets nothing of it: the
 * connection breaks with an error that says why. The caller listens to data, end, error and close; `onOpen` is called when it is open.
 */
export function openStream(
  remote: Endpoint,
  local: string | undefined,
  secure: SecureStream | undefined,
  onOpen: () => void,
): Socket {
  const to = {
    host: addressForNode(remote.address),
    port: remote.port,
    ...(local !== undefined && { localAddress: addressForNode(local) }),
  };
  return secure === undefined
    ? connectTcp({ ...to, noDelay: true }, onOpen)
    : openTls(to, secure, onOpen);
}

function openTls(
  to: { readonly host: string; readonly port: number },
  { tls, alpn, memory }: SecureStream,
  onOpen: () => void,
): TLSSocket {
  const socket = connectTls({
    ...to,
    ...secureOptions(tls, to.host),
    ALPNProtocols: [...alpn],
    ...(memory.session !== undefined && { session: memory.session }),
  });
  socket.setNoDelay(true);
  let isTrusted = false;
  let latest: Buffer | undefined;
  socket.on('secureConnect', () => {
    // Who can resume a session is whom it was agreed with; the certificate is not shown again.
    const fault = socket.isSessionReused() ? undefined : pinFault(tls, socket);
    if (fault !== undefined) {
      socket.destroy(fault);
      return;
    }
    isTrusted = true;
    if (latest !== undefined) memory.session = latest;
    onOpen();
  });
  socket.on('session', (session) => {
    latest = session;
    if (isTrusted) memory.session = session;
  });
  socket.on('error', () => {
    // A session that could not be resumed is of no use to the next connection either.
    memory.session = undefined;
  });
  return socket;
}

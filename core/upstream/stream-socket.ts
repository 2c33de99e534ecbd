// Opens TCP and TLS connections to an upstream: what StreamPool pipelines messages over.
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import {
  checkServerIdentity,
  connect as connectTls,
  createSecureContext,
  type SecureContext,
} from 'node:tls';
import type { Endpoint } from '../system/sockets.js';

/** How to speak TLS with an upstream. */
export interface StreamTls {
  /** The name its certificate must be for, sent as SNI too; '' checks for the upstream's address instead. */
  readonly servername: string;
  readonly context: SecureContext;
}

/** PEM texts; without `ca` the authorities Node trusts are. */
export interface TlsMaterial {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly ca: string | undefined;
}

/** What a pool keeps from one TLS handshake to the next. */
export interface TlsMemory {
  /** To resume the session with (RFC 8446 section 2.2). */
  session: Buffer | undefined;
}

/** Certificates for any number of connections. TLS is 1.2 or later (RFC 9325 section 3.1.1). Throws on PEM that cannot be read. */
export function createTlsContext(material: TlsMaterial): SecureContext {
  return createSecureContext({
    minVersion: 'TLSv1.2',
    ...(material.cert !== undefined && { cert: material.cert }),
    ...(material.key !== undefined && { key: material.key }),
    ...(material.ca !== undefined && { ca: material.ca }),
  });
}

/**
 * A connection to `remote` that is being opened; what is written is kept until it is. The certificate is verified and ALPN asks for "dot"
 * (RFC 7858 section 3.1). The caller listens to data, end, error and close.
 */
export function openStream(
  remote: Endpoint,
  local: string | undefined,
  tls: StreamTls | undefined,
  memory: TlsMemory,
): Socket {
  const to = {
    host: remote.address,
    port: remote.port,
    ...(local !== undefined && { localAddress: local }),
  };
  if (tls === undefined) return connectTcp({ ...to, noDelay: true });

  const name = tls.servername === '' ? (remote.address.split('%')[0] as string) : tls.servername;
  const socket = connectTls({
    ...to,
    secureContext: tls.context,
    ALPNProtocols: ['dot'],
    // SNI carries names only (RFC 6066 section 3).
    servername: isIP(name) === 0 ? name : '',
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
    ...(memory.session !== undefined && { session: memory.session }),
  });
  socket.setNoDelay(true);
  socket.on('session', (session) => {
    memory.session = session;
  });
  socket.on('error', () => {
    // A session that could not be resumed is of no use to the next connection either.
    memory.session = undefined;
  });
  return socket;
}

// TLS towards upstreams, for connections and for HTTPS: how a server proves who it is, and in which words it is said that it did not.
//
// Its certificate has to be good: from an authority that is trusted, not expired, for the name given, or without a name for the address
// (RFC 8310 section 8.1). Its key may have to be one of those pinned as well (RFC 7858 section 4.2).
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import {
  checkServerIdentity,
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';

/** How much of what a certificate says of itself is repeated in a message. */
const NAMES_CHARS = 200;

/** How to speak TLS with an upstream. */
export interface StreamTls {
  /** The name its certificate must be for, sent as SNI too; '' checks for the upstream's address instead. */
  readonly servername: string;
  readonly context: SecureContext;
  /** Its certificate has to be good. False only where a pin vouches for the server instead, or nothing should. */
  readonly isVerified: boolean;
  /** SHA-256 of the public keys it may have, in base64; none for any key. */
  readonly pins: readonly string[];
}

/** PEM texts; without `ca` the authorities Node trusts are. */
export interface TlsMaterial {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly ca: string | undefined;
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

/** The name or address the certificate of the server at `address` has to be for. */
export function certifiedName(tls: StreamTls, address: string): string {
  return tls.servername === '' ? (address.split('%')[0] as string) : tls.servername;
}

/** What `tls.connect` is told about the server at `address`; `checkPin` has to follow when the handshake is done. */
export function secureOptions(tls: StreamTls, address: string) {
  const name = certifiedName(tls, address);
  return {
    secureContext: tls.context,
    // SNI carries names only (RFC 6066 section 3).
    servername: isIP(name) === 0 ? name : '',
    rejectUnauthorized: tls.isVerified,
    checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
      checkServerIdentity(name, certificate) === undefined
        ? undefined
        : new Error(`its certificate is for ${namesIn(certificate)}, not for ${name}`),
  };
}

/** Why the server on this socket is not the one that was meant although TLS was agreed: its key is none of those pinned. */
export function pinFault(tls: StreamTls, socket: TLSSocket): Error | undefined {
  if (tls.pins.length === 0) return undefined;
  const pin = pinOf(socket);
  if (pin !== undefined && tls.pins.includes(pin)) return undefined;
  return new Error(`its key is none of those pinned, but sha256/${pin ?? ''}`);
}

const UNKNOWN_AUTHORITY = 'its certificate comes from an authority that is not trusted';

const REASONS: ReadonlyMap<string, string> = new Map([
  ['CERT_HAS_EXPIRED', 'its certificate has expired'],
  ['CERT_NOT_YET_VALID', 'its certificate is not valid yet'],
  ['CERT_REVOKED', 'its certificate was revoked'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', UNKNOWN_AUTHORITY],
  ['SELF_SIGNED_CERT_IN_CHAIN', UNKNOWN_AUTHORITY],
  ['UNABLE_TO_GET_ISSUER_CERT', UNKNOWN_AUTHORITY],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', UNKNOWN_AUTHORITY],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', UNKNOWN_AUTHORITY],
]);

/** The same error in words for an operator, where it is about a certificate. */
export function inWords(error: Error): Error {
  const { code } = error as NodeJS.ErrnoException;
  const reason = code === undefined ? undefined : REASONS.get(code);
  return reason === undefined ? error : new Error(`${reason} (${code})`);
}

/** SHA-256 of the server's public key (SubjectPublicKeyInfo), as in `tls_pin`. */
function pinOf(socket: TLSSocket): string | undefined {
  const key = socket.getPeerX509Certificate()?.publicKey;
  if (key === undefined) return undefined;
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('base64');
}

/** Whoever made the certificate chose what is in it. */
function namesIn(certificate: PeerCertificate): string {
  const names = certificate.subjectaltname ?? String(certificate.subject?.CN ?? '');
  const printable = names.replace(/[^\x20-\x7e]/g, '?').replace(/DNS:|IP Address:/g, '');
  if (printable === '') return 'nobody';
  return printable.length > NAMES_CHARS ? `${printable.slice(0, NAMES_CHARS)}...` : printable;
}

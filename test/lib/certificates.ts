// A key and a certificate of a test's own.
import { createHash, X509Certificate } from 'node:crypto';
import { run } from './child.js';
import { tempFolder } from './temp-folder.js';
import { toolPath } from './tools.js';

/** The name that `makeCertificate` certifies unless told another. */
export const SERVER_NAME = 'dns.example.net';

export interface Certificate {
  readonly key: string;
  /** Signed with its own key: it is its own authority. */
  readonly cert: string;
}

/** The same, but in force no longer since a day ago. */
export async function makeExpiredCertificate(name = SERVER_NAME): Promise<Certificate> {
  const folder = tempFolder();
  try {
    const key = await makeKey();
    const file = folder.write('key.pem', key);
    const request = await openssl('req', '-new', '-key', file, '-subj', `/CN=${name}`);
    const names = folder.write('names', `subjectAltName=DNS:${name}`);
    const cert = await openssl(
      ...['x509', '-req', '-in', folder.write('request.pem', request), '-signkey', file],
      ...['-days', '-1', '-extfile', names],
    );
    return { key, cert };
  } finally {
    folder.remove();
  }
}

/** What `tls_pin` takes of a certificate's key, behind `sha256/`. */
export function pinOf(cert: string): string {
  const der = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('base64');
}

/** Makes one in PEM for a name and, if given, addresses, valid for two days from now. Needs openssl. */
export async function makeCertificate(
  name = SERVER_NAME,
  ...addresses: readonly string[]
): Promise<Certificate> {
  const folder = tempFolder();
  try {
    const key = await makeKey();
    const file = folder.write('key.pem', key);
    const cert = await openssl(
      ...['req', '-new', '-x509', '-key', file, '-days', '2', '-subj', `/CN=${name}`],
      ...[
        '-addext',
        `subjectAltName=${[`DNS:${name}`, ...addresses.map((a) => `IP:${a}`)].join(',')}`,
      ],
    );
    return { key, cert };
  } finally {
    folder.remove();
  }
}

/** A certificate for a name, and the authority that issued it. */
export interface Issued extends Certificate {
  readonly ca: string;
}

/** Makes an authority and has it issue a certificate for a name alone, no address. Needs openssl. */
export async function makeIssued(name = SERVER_NAME): Promise<Issued> {
  const folder = tempFolder();
  try {
    const [caKey, key] = await Promise.all([makeKey(), makeKey()]);
    const caKeyFile = folder.write('ca-key.pem', caKey);
    const ca = await openssl(
      ...['req', '-new', '-x509', '-key', caKeyFile, '-days', '2', '-subj', '/CN=Test CA'],
    );
    const keyFile = folder.write('key.pem', key);
    const request = await openssl('req', '-new', '-key', keyFile, '-subj', '/CN=leaf');
    const cert = await openssl(
      ...['x509', '-req', '-in', folder.write('request.pem', request), '-days', '2'],
      ...['-CA', folder.write('ca.pem', ca), '-CAkey', caKeyFile, '-set_serial', '2'],
      ...['-extfile', folder.write('names', `subjectAltName=DNS:${name}`)],
    );
    return { ca, key, cert };
  } finally {
    folder.remove();
  }
}

function makeKey(): Promise<string> {
  return openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout');
}

async function openssl(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run([toolPath('openssl'), ...args]);
  if (code !== 0) throw new Error(`openssl ${args[0]} failed: ${stderr}`);
  return stdout;
}

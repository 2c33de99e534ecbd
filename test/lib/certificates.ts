// A key and a certificate of a test's own.
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

/** Makes one in PEM for a name and, if given, addresses, valid for two days from now. Needs openssl. */
export async function makeCertificate(
  name = SERVER_NAME,
  ...addresses: readonly string[]
): Promise<Certificate> {
  const folder = tempFolder();
  try {
    const key = await openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout');
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

async function openssl(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run([toolPath('openssl'), ...args]);
  if (code !== 0) throw new Error(`openssl ${args[0]} failed: ${stderr}`);
  return stdout;
}

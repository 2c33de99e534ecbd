// The certificate of an upstream that is asked over TLS. Needs openssl.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** What it is for. */
export const UPSTREAM_NAME = 'dns.example.net';

/** Makes `key.pem` and `cert.pem`, its own authority, in a folder. */
export function writeCertificate(folder: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
  const names = [`/CN=${UPSTREAM_NAME}`, '-addext', `subjectAltName=DNS:${UPSTREAM_NAME}`];
  execFileSync('openssl', ['req', '-x509', ...key, ...files, '-days', '2', '-subj', ...names], {
    stdio: 'ignore',
  });
}

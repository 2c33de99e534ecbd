// The web configuration file of Prometheus's own exporters, as far as TLS goes.
import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { createSecureContext, type SecureVersion, type TlsOptions } from 'node:tls';

/** Go's names, as that file has them. */
const CLIENT_AUTH: Readonly<
  Record<string, Pick<TlsOptions, 'requestCert' | 'rejectUnauthorized'>>
> = {
  NoClientCert: {},
  RequestClientCert: { requestCert: true, rejectUnauthorized: false },
  RequireAndVerifyClientCert: { requestCert: true, rejectUnauthorized: true },
};

const VERSIONS: Readonly<Record<string, SecureVersion>> = { TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' };

const KEYS = [
  'cert_file',
  'key_file',
  'client_auth_type',
  'client_ca_file',
  'min_version',
  'max_version',
];

type Cosmiconfig = typeof import('cosmiconfig');

export interface WebConfig {
  readonly options: TlsOptions;
  /** Changes whenever one of the files does. */
  readonly stamp: string;
}

/** Reads the file and the certificates it names, relative to itself. Throws an Error whose message says what is wrong. */
export function readWebConfig(path: string): WebConfig {
  // Here, because few need it and all would wait for it.
  const { defaultLoaders } = createRequire(import.meta.url)('cosmiconfig') as Cosmiconfig;
  const config = record(defaultLoaders['.yaml'](path, read(path)), 'the file');
  refuseOthers(config, ['tls_server_config'], '');
  const tls = record(config.tls_server_config, 'tls_server_config');
  refuseOthers(tls, KEYS, 'tls_server_config.');
  const fileOf = (key: string): string | undefined => {
    const name = word(tls, key);
    return name === '' ? undefined : resolve(dirname(path), name);
  };
  const [cert, key, ca] = [fileOf('cert_file'), fileOf('key_file'), fileOf('client_ca_file')];
  if (cert === undefined || key === undefined) throw new Error('needs cert_file and key_file');
  const auth = word(tls, 'client_auth_type') || 'NoClientCert';
  if (auth === 'RequireAndVerifyClientCert' && ca === undefined) {
    throw new Error(`needs client_ca_file for client_auth_type ${auth}`);
  }
  const options: TlsOptions = {
    cert: read(cert),
    key: read(key),
    ...(ca === undefined ? {} : { ca: read(ca) }),
    ...choose(CLIENT_AUTH, 'client_auth_type', auth),
    minVersion: choose(VERSIONS, 'min_version', word(tls, 'min_version') || 'TLS12'),
    maxVersion: choose(VERSIONS, 'max_version', word(tls, 'max_version') || 'TLS13'),
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw new Error(`its certificate and key cannot be used: ${(error as Error).message}`);
  }
  const files = [path, cert, key, ...(ca === undefined ? [] : [ca])];
  return { options, stamp: stampOf(files) };
}

function stampOf(files: readonly string[]): string {
  return files.map((file) => `${file} ${statSync(file).mtimeMs} ${statSync(file).size}`).join('\n');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot read "${path}": ${(error as NodeJS.ErrnoException).code}`);
  }
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`${what} has no keys, want tls_server_config with cert_file and key_file`);
  }
  return value as Readonly<Record<string, unknown>>;
}

function refuseOthers(
  config: Readonly<Record<string, unknown>>,
  known: readonly string[],
  prefix: string,
): void {
  const other = Object.keys(config).find((key) => !known.includes(key));
  if (other === undefined) return;
  throw new Error(`${prefix}${other} is not supported, want ${known.join(', ')}`);
}

function word(config: Readonly<Record<string, unknown>>, key: string): string {
  const value = config[key] ?? '';
  if (typeof value !== 'string') throw new Error(`${key} is not a text`);
  return value;
}

function choose<T>(from: Readonly<Record<string, T>>, key: string, name: string): T {
  const value = from[name];
  if (value !== undefined) return value;
  throw new Error(`${key} "${name}" is not supported, want ${Object.keys(from).join(', ')}`);
}

// NSD, Unbound and BIND as upstreams: on loopback, in a folder of their own, touching nothing of the system's configuration.
import type { Certificate } from './certificates.js';
import { Child } from './child.js';
import type { Namespace } from './namespace.js';
import { freePort } from './ports.js';
import { type TempFolder, tempFolder } from './temp-folder.js';
import { toolPath } from './tools.js';

/** A running name server. `address` is what a Corefile takes: IP:PORT. */
export interface NameServer {
  readonly port: number;
  readonly address: string;
  readonly pid: number;
  readonly isRunning: boolean;
  readonly stderr: string;
  stop(): Promise<void>;
}

export interface NameServerOptions {
  readonly port?: number;
  /** Where it runs, if not beside the test. */
  readonly namespace?: Namespace;
  /** Serves over TLS alone. Unbound only. */
  readonly tls?: Certificate;
  /** Path at which it serves over HTTPS instead. Unbound only. */
  readonly path?: string;
}

export type Starter = (
  zone: string,
  text: string,
  options?: NameServerOptions,
) => Promise<NameServer>;

/** NSD serving one zone. */
export const startNsd: Starter = (zone, text, options) =>
  startServer(options, /nsd started/, (folder, port) => {
    const file = folder.write('zone', text);
    const conf = folder.write(
      'nsd.conf',
      `server:
  ip-address: 127.0.0.1
  port: ${port}
  server-count: 1
  username: ""
  chroot: ""
  database: ""
  zonesdir: "${folder.path}"
  pidfile: "${folder.path}/nsd.pid"
  xfrdfile: "${folder.path}/xfrd.state"
  xfrdir: "${folder.path}"
  zonelistfile: "${folder.path}/zone.list"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "${zone}"
  zonefile: "${file}"
`,
    );
    return [toolPath('nsd'), '-d', '-c', conf];
  });

/** Unbound serving one zone with its own zone-file reader, and nothing else. */
export const startUnbound: Starter = (zone, text, options) =>
  startServer(options, /start of service/, (folder, port) => {
    const file = folder.write('zone', text);
    const { tls, path } = options ?? {};
    const tlsLines =
      tls === undefined
        ? ''
        : `${path === undefined ? `  tls-port: ${port}` : `  https-port: ${port}\n  http-endpoint: "${path}"`}
  tls-service-key: "${folder.write('key.pem', tls.key)}"
  tls-service-pem: "${folder.write('cert.pem', tls.cert)}"
`;
    const conf = folder.write(
      'unbound.conf',
      `server:
${tlsLines}  interface: 127.0.0.1
  port: ${port}
  num-threads: 1
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "${folder.path}"
  pidfile: ""
  use-syslog: no
  logfile: ""
  verbosity: 1
  module-config: "iterator"
  access-control: 127.0.0.0/8 allow
remote-control:
  control-enable: no
auth-zone:
  name: "${zone}"
  zonefile: "${file}"
  for-downstream: yes
  for-upstream: yes
  fallback-enabled: no
`,
    );
    return [toolPath('unbound'), '-d', '-p', '-c', conf];
  });

/** BIND serving one zone. */
export const startBind: Starter = (zone, text, options) =>
  startServer(options, /\brunning$/m, (folder, port) => {
    const file = folder.write('zone', text);
    const conf = folder.write(
      'named.conf',
      `options {
  directory "${folder.path}";
  pid-file "${folder.path}/named.pid";
  session-keyfile "${folder.path}/session.key";
  lock-file none;
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  allow-query { 127.0.0.0/8; };
  recursion no;
  dnssec-validation no;
  empty-zones-enable no;
  notify no;
};
controls { };
zone "${zone}" { type primary; file "${file}"; check-names ignore; };
`,
    );
    return [toolPath('named'), '-g', '-n', '1', '-c', conf];
  });

async function startServer(
  options: NameServerOptions = {},
  ready: RegExp,
  command: (folder: TempFolder, port: number) => readonly string[],
): Promise<NameServer> {
  const folder = tempFolder();
  const port = options.port ?? (await freePort());
  const child = await Child.start({
    command: [...(options.namespace?.enter(folder.path) ?? []), ...command(folder, port)],
    ready,
    cwd: folder.path,
  }).catch((error: unknown) => {
    folder.remove();
    throw error;
  });
  return {
    port,
    address: `127.0.0.1:${port}`,
    pid: child.pid,
    get isRunning() {
      return child.isRunning;
    },
    get stderr() {
      return child.stderr;
    },
    async stop() {
      await child.stop();
      folder.remove();
    },
  };
}

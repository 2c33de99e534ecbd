// The servers that are measured: how each is started on one core, as a cache in front of the same upstream.
import { accessSync, constants, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Peer {
  readonly name: string;
  /** Only for hits: it does not forward. */
  readonly isEcho?: boolean;
  /** The command that serves `port` from `folder`, forwarding to `upstream`; both on 127.0.0.1. Undefined when it is not installed. */
  command(folder: string, port: number, upstream: number): readonly string[] | undefined;
}

const here = new URL('../', import.meta.url).pathname;
const server = new URL('../../bundle/core/main.js', import.meta.url).pathname;

/** Ours, with the chain whose figures are published: `errors prometheus cache forward`, and what that is told. */
export function heimdall(
  folder: string,
  port: number,
  upstream: number | string,
  properties = '',
): readonly string[] {
  const to = typeof upstream === 'number' ? `127.0.0.1:${upstream}` : upstream;
  const corefile = written(
    folder,
    'Corefile',
    `.:${port} {
  bind 127.0.0.1
  errors
  prometheus 127.0.0.1:${port + 1}
  cache {
    success 100000
  }
  forward . ${to} ${properties}
}
`,
  );
  return [process.execPath, server, '-conf', corefile, '-workers', '1', '-quiet'];
}

function echo(_folder: string, port: number): readonly string[] {
  return [process.execPath, join(here, 'lib/echo.js'), String(port)];
}

/** Asks the upstream over TCP only. */
export function heimdallTcp(folder: string, port: number, upstream: number): readonly string[] {
  return heimdall(folder, port, upstream, '{\n    force_tcp\n  }');
}

/** `zone` are lines about how the upstream is asked, `server` further ones about the whole. */
export function unbound(
  folder: string,
  port: number,
  zone: string,
  server = '',
): readonly string[] | undefined {
  const conf = written(
    folder,
    'unbound.conf',
    `server:
  interface: 127.0.0.1@${port}
  num-threads: 1
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "${folder}"
  pidfile: ""
  use-syslog: no
  verbosity: 0
  module-config: "iterator"
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  msg-cache-size: 64m
  rrset-cache-size: 128m
  outgoing-range: 8192
  num-queries-per-thread: 4096
  so-rcvbuf: 4m
  so-sndbuf: 4m
  incoming-num-tcp: 1000
  outgoing-num-tcp: 64
${server}remote-control:
  control-enable: no
forward-zone:
  name: "."
${zone}`,
  );
  return installed('unbound', '-d', '-c', conf);
}

/** Asks the upstream over TCP only. */
export function unboundTcp(
  folder: string,
  port: number,
  upstream: number,
): readonly string[] | undefined {
  return unbound(folder, port, `${unboundTo(upstream)}  forward-tcp-upstream: yes\n`);
}

function unboundTo(upstream: number): string {
  return `  forward-addr: 127.0.0.1@${upstream}\n`;
}

/** `server` says where and how the upstream is asked. */
export function dnsdist(
  folder: string,
  port: number,
  server: string,
  settings = '',
): readonly string[] | undefined {
  const conf = written(
    folder,
    'dnsdist.conf',
    `setLocal("127.0.0.1:${port}")
setSecurityPollSuffix("")
setMaxUDPOutstanding(65535)
${settings}newServer({${server}, useClientSubnet=false, healthCheckMode="up"})
getPool(""):setCache(newPacketCache(200000))
`,
  );
  return installed('dnsdist', '--supervised', '--disable-syslog', '-C', conf);
}

function named(folder: string, port: number, upstream: number): readonly string[] | undefined {
  const conf = written(
    folder,
    'named.conf',
    `options {
  directory "${folder}";
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  forwarders { 127.0.0.1 port ${upstream}; };
  forward only;
  recursion yes;
  allow-query { 127.0.0.0/8; };
  dnssec-validation no;
  pid-file none;
  session-keyfile none;
  recursive-clients 10000;
};
controls {};
`,
  );
  return installed('named', '-f', '-n', '1', '-c', conf);
}

/** `action` says where and how the upstream is asked. */
export function kresd(folder: string, port: number, action: string): readonly string[] | undefined {
  const conf = written(
    folder,
    'kresd.conf',
    `net.listen('127.0.0.1', ${port}, { kind = 'dns' })
cache.size = 100 * MB
trust_anchors.remove('.')
policy.add(policy.all(${action}))
`,
  );
  return installed('kresd', '-n', '-c', conf, folder);
}

function coredns(folder: string, port: number, upstream: number): readonly string[] | undefined {
  const conf = written(
    folder,
    'coredns.conf',
    `.:${port} {
  bind 127.0.0.1
  errors
  cache {
    success 100000
  }
  forward . 127.0.0.1:${upstream}
}
`,
  );
  return installed('coredns', '-quiet', '-conf', conf);
}

export const PEERS: readonly Peer[] = [
  { name: 'echo', isEcho: true, command: echo },
  { name: 'heimdall', command: heimdall },
  {
    name: 'unbound',
    command: (folder, port, upstream) => unbound(folder, port, unboundTo(upstream)),
  },
  {
    name: 'dnsdist',
    command: (folder, port, upstream) => dnsdist(folder, port, `address="127.0.0.1:${upstream}"`),
  },
  {
    name: 'kresd',
    command: (folder, port, upstream) =>
      kresd(folder, port, `policy.STUB('127.0.0.1@${upstream}')`),
  },
  { name: 'named', command: named },
  { name: 'coredns', command: coredns },
];

/** Those that are measured over TCP: many clients on it, and an upstream that is asked over TCP only. */
export const TCP_PEERS: readonly Peer[] = [
  { name: 'heimdall', command: heimdallTcp },
  { name: 'unbound', command: unboundTcp },
];

function written(folder: string, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** The command with its full path, undefined when it is not on the PATH (or in sbin, where servers are). */
function installed(command: string, ...args: readonly string[]): readonly string[] | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    const path = join(folder, command);
    try {
      accessSync(path, constants.X_OK);
      return [path, ...args];
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

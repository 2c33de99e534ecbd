// Servers that ask their upstream over TCP, TLS or HTTPS. The upstream's certificate, which is its own authority, is in the folder above
// that of the server; it is for UPSTREAM_NAME.
import { join } from 'node:path';
import { dnsdist, heimdall, heimdallTcp, kresd, type Peer, unbound, unboundTcp } from './peers.js';
import { UPSTREAM_NAME } from './upstream-certificate.js';

function authorityOf(folder: string): string {
  return join(folder, '..', 'cert.pem');
}

function heimdallOver(scheme: 'tls' | 'https'): Peer['command'] {
  return (folder, port, upstream) =>
    heimdall(
      folder,
      port,
      `${scheme}://127.0.0.1%${UPSTREAM_NAME}:${upstream}`,
      `{\n    tls ${authorityOf(folder)}\n  }`,
    );
}

function unboundTls(folder: string, port: number, upstream: number): ReturnType<Peer['command']> {
  return unbound(
    folder,
    port,
    `  forward-addr: 127.0.0.1@${upstream}#${UPSTREAM_NAME}\n  forward-tls-upstream: yes\n`,
    `  tls-cert-bundle: "${authorityOf(folder)}"\n`,
  );
}

/** One thread for what goes over connections, as the others have one thread. */
function dnsdistOver(properties: (folder: string) => string): Peer['command'] {
  return (folder, port, upstream) =>
    dnsdist(
      folder,
      port,
      `address="127.0.0.1:${upstream}", maxInFlight=1000, ${properties(folder)}`,
      'setMaxTCPClientThreads(1)\nsetTCPInternalPipeBufferSize(1048576)\n',
    );
}

function secureDnsdist(folder: string): string {
  return `tls="openssl", subjectName="${UPSTREAM_NAME}", caStore="${authorityOf(folder)}", validateCertificates=true`;
}

function kresdTls(folder: string, port: number, upstream: number): ReturnType<Peer['command']> {
  const target = `{ '127.0.0.1@${upstream}', hostname = '${UPSTREAM_NAME}', ca_file = '${authorityOf(folder)}' }`;
  return kresd(folder, port, `policy.TLS_FORWARD({${target}})`);
}

export const PLAIN_PEERS: readonly Peer[] = [
  { name: 'heimdall', command: heimdallTcp },
  { name: 'unbound', command: unboundTcp },
  { name: 'dnsdist', command: dnsdistOver(() => 'tcpOnly=true') },
];

export const TLS_PEERS: readonly Peer[] = [
  { name: 'heimdall', command: heimdallOver('tls') },
  { name: 'unbound', command: unboundTls },
  { name: 'dnsdist', command: dnsdistOver(secureDnsdist) },
  { name: 'kresd', command: kresdTls },
];

export const HTTPS_PEERS: readonly Peer[] = [
  { name: 'heimdall', command: heimdallOver('https') },
  {
    name: 'dnsdist',
    command: dnsdistOver((folder) => `${secureDnsdist(folder)}, dohPath="/dns-query"`),
  },
];

// The nameserver lines of a resolv.conf file (resolv.conf(5)); the rest of the file is for stub resolvers.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { AddressTarget } from './targets.js';

/** The file's upstreams in its order. Throws an Error that names the file when it cannot be read. */
export function readResolvConf(path: string): AddressTarget[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot read "${path}": ${(error as Error).message}`);
  }
  return parseResolvConf(text);
}

/** Lines that name no address are left out, as the C library does. */
export function parseResolvConf(text: string): AddressTarget[] {
  const found: AddressTarget[] = [];
  for (const line of text.split('\n')) {
    const [keyword, address] = line.trim().split(/\s+/);
    if (keyword !== 'nameserver' || address === undefined) continue;
    if (isIP(address) === 0) continue;
    found.push({ kind: 'address', scheme: 'dns', address, port: 53, servername: '' });
  }
  return found;
}

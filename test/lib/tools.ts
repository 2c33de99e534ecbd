// Programs and rights some tests need: missing ones skip a test on a user's machine and fail it in CI.
import { accessSync, constants } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { delimiter, join } from 'node:path';

/** Where Debian puts servers that are not on a user's PATH. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin'];

const isCi = process.env.CI !== undefined && process.env.CI !== 'false';

/** What `test` takes as its options: empty to run, or the reason not to. */
export interface Need {
  readonly skip?: string;
}

/** The path of a program, undefined when this machine has none. */
export function findTool(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Options of a test that runs these programs. Throws in CI when one is missing. */
export function needTools(...names: readonly string[]): Need {
  const missing = names.filter((name) => findTool(name) === undefined);
  return missing.length === 0 ? {} : without(`${missing.join(', ')} not installed`);
}

/** Options of a test that makes network namespaces: Linux, root and these programs. Throws in CI when that is not so. */
export function needNamespaces(...names: readonly string[]): Need {
  if (process.platform !== 'linux') return without('needs Linux');
  if (process.getuid?.() !== 0) return without('needs root');
  return needTools('unshare', 'nsenter', 'ip', 'mount', ...names);
}

/** Options of a test that talks over IPv6. Throws in CI when the loopback interface has no such address. */
export function needIpv6(): Need {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return addresses.some(({ address }) => address === '::1') ? {} : without('no IPv6 loopback');
}

/** The path of a program that a test already asked for with `needTools`. */
export function toolPath(name: string): string {
  const path = findTool(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return path;
}

/** Options of a test that lacks something: it is skipped. Throws in CI. */
export function without(reason: string): Need {
  if (isCi) throw new Error(`${reason}, which CI must have`);
  return { skip: reason };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

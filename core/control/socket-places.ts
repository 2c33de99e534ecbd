// Where the command socket of a server is: by convention a file for each server, named after its first port, in a folder that others cannot change.
import { lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What an address of this kind has room for on every system (`sun_path` less its end); Linux has four more. */
const MAX_PATH_BYTES = 103;

/** Where servers that root or a service manager starts have theirs. */
const SYSTEM_FOLDER = '/run/heimdall';

const NAME = /^control-\d{1,5}\.sock$/;

/** The folders a server of this user may use, best first. */
function ownFolders(): string[] {
  const { RUNTIME_DIRECTORY = '', XDG_RUNTIME_DIR = '' } = process.env;
  const uid = process.getuid?.() ?? 0;
  const folders: string[] = [];
  // Set by systemd for RuntimeDirectory=; there may be several.
  const [runtime = ''] = RUNTIME_DIRECTORY.split(':');
  if (runtime !== '') folders.push(runtime);
  if (uid === 0) folders.push(SYSTEM_FOLDER);
  else if (XDG_RUNTIME_DIR !== '') folders.push(join(XDG_RUNTIME_DIR, 'heimdall'));
  folders.push(join(tmpdir(), `heimdall-${uid}`));
  return folders;
}

/** The paths to try for a server whose first port this is, best first. */
export function defaultPaths(port: number): string[] {
  return ownFolders().map((folder) => join(folder, `control-${port}.sock`));
}

/** Makes the folder of a default path, for its owner alone, or makes sure that nobody else could put something there. Throws an Error. */
export function claimFolder(folder: string): void {
  makeFolder(folder);
  const found = lstatSync(folder);
  const isOwn = found.isDirectory() && found.uid === process.getuid?.();
  // Bits of write access for group and others.
  if (!isOwn || (found.mode & 0o022) !== 0) {
    throw new Error(`others may write to ${folder}`);
  }
}

/** Makes a folder and those above it, for their owner alone; what is there stays as it is. Throws an Error that names it. */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Error(`cannot make the folder ${folder}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** Why no socket can have this path, undefined when one can. */
export function faultOfPath(path: string): string | undefined {
  if (Buffer.byteLength(path) <= MAX_PATH_BYTES) return undefined;
  return `${path} is too long for a socket, want at most ${MAX_PATH_BYTES} bytes`;
}

/** What a look for sockets found. */
export interface Found {
  readonly paths: readonly string[];
  /** The folders looked in, those that may not be entered marked. */
  readonly folders: readonly string[];
}

/** Every file that may be the socket of a server this user may command. */
export function findSockets(): Found {
  const paths: string[] = [];
  const folders: string[] = [];
  for (const folder of new Set([...ownFolders(), SYSTEM_FOLDER])) {
    try {
      if (!isTrusted(folder)) throw Object.assign(new Error(), { code: 'EACCES' });
      const names = readdirSync(folder).filter((name) => NAME.test(name));
      paths.push(...names.sort().map((name) => join(folder, name)));
      folders.push(folder);
    } catch (error) {
      const isBarred = (error as NodeJS.ErrnoException).code === 'EACCES';
      folders.push(isBarred ? `${folder} (not allowed)` : folder);
    }
  }
  return { paths, folders };
}

/** Whether only this user, root or (for root) the server's user can have put something there. Throws when there is nothing. */
function isTrusted(folder: string): boolean {
  const found = lstatSync(folder);
  const uid = process.getuid?.();
  const isSafe = found.uid === uid || found.uid === 0 || folder === SYSTEM_FOLDER;
  return found.isDirectory() && isSafe && (found.mode & 0o022) === 0;
}

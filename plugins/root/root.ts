// The base directory of relative file names: made absolute and looked at once, when the configuration is read.
import { statSync } from 'node:fs';
import { resolve } from 'node:path';

/** A relative path starts from the working directory of the process. */
export function absoluteRoot(path: string): string {
  return resolve(path);
}

/** What an operator should know about this directory; undefined when it is fine. It may still be made while the server runs. */
export function rootWarning(path: string): string | undefined {
  try {
    return statSync(path).isDirectory() ? undefined : `root: "${path}" is not a directory`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return `root: "${path}" does not exist`;
    return `root: "${path}" cannot be read: ${code}`;
  }
}

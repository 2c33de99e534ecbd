// The file with the number of the process, for those that start and signal it.
import { rmSync, writeFileSync } from 'node:fs';

/** Writes the file and gives a function that removes it. Throws an Error that names it when it cannot be written. */
export function writePidFile(path: string): () => void {
  try {
    writeFileSync(path, `${process.pid}\n`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`cannot write the pid file ${path}: ${code}`);
  }
  return () => rmSync(path, { force: true });
}

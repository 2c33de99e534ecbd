// Where the server's own files are.

/** The file by its path from the top, compiled: `core/control/worker.js`. */
export function ownFile(path: string): URL {
  return new URL(`../${path}`, import.meta.url);
}

// Where the server's own files are. The compiled modules and the bundle made of them lie in folders of the same shape, of which this module, or
// the shared part of the bundle that it went into, is in core/ (see .ci/bundle.mjs).

/** The file by its path from the top, compiled: `core/control/worker.js`. */
export function ownFile(path: string): URL {
  return new URL(`../${path}`, import.meta.url);
}

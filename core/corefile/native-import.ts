// What configurations and plugins have in common as modules: Node imports them itself where it can, and the server is their API package.
import { extname } from 'node:path';

/** What configurations and plugins import the server's API by. */
export const API_PACKAGE = 'heimdall';

const TYPESCRIPT = new Set(['.ts', '.mts', '.cts']);

/** Whether Node itself can import the file (path or URL): JavaScript, or TypeScript where Node strips types. */
export function isNativeModule(file: string): boolean {
  // Since Node 22.6; false where stripping types is switched off.
  const { typescript } = process.features as { readonly typescript?: unknown };
  return !TYPESCRIPT.has(extname(file)) || Boolean(typescript);
}

/** Whether an import failed because the API package is not installed beside the module: then it gets the server's own. */
export function isMissingApi(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ERR_MODULE_NOT_FOUND' && message.includes(`'${API_PACKAGE}'`);
}

// Imports heimdall.config.{ts,js,mjs}: by Node itself where it can, through jiti where it cannot.
import { pathToFileURL } from 'node:url';
import { defineConfig } from './define-config.js';
import { API_PACKAGE, isMissingApi, isNativeModule } from './native-import.js';

/** Why a file could not be read, and the line where that is known, else 0. */
export interface Fault {
  readonly line: number;
  readonly message: string;
}

export type Imported = { readonly data: unknown } | { readonly fault: Fault };

/** Modules are cached by URL for the life of the process, so each import gets one of its own: a reload must see what is there now. */
let imports = 0;

/** The default export of a configuration module, run anew. Never rejects. */
export async function importConfig(path: string): Promise<Imported> {
  try {
    if (isNativeModule(path)) {
      const module: unknown = await import(`${pathToFileURL(path).href}?run=${++imports}`);
      return exported(module);
    }
  } catch (error) {
    // The server need not be installed beside its configuration: then that gets `defineConfig` from this one.
    if (!isMissingApi(error)) return { fault: faultOf(error, path) };
  }
  try {
    const { createJiti } = await import('jiti');
    const virtualModules = { [API_PACKAGE]: { defineConfig } };
    const jiti = createJiti(path, { virtualModules, fsCache: false, moduleCache: false });
    return exported(await jiti.import(path));
  } catch (error) {
    return { fault: faultOf(error, path) };
  }
}

function exported(module: unknown): Imported {
  const { default: data } = module as { readonly default?: unknown };
  if (data === undefined) {
    return { fault: { line: 0, message: 'no default export, want defineConfig({ ... })' } };
  }
  return { data };
}

/** One line, and the line number of the first place in the file that the stack names. */
function faultOf(error: unknown, path: string): Fault {
  if (!(error instanceof Error)) return { line: 0, message: `cannot be loaded: ${String(error)}` };
  const [reason] = error.message.split('\n');
  const stack = error.stack ?? '';
  const line = lineIn(stack, pathToFileURL(path).href) || lineIn(stack, path);
  const message = (reason as string).replaceAll(pathToFileURL(path).href, '').replaceAll(path, '');
  return { line, message: `cannot be loaded: ${message.trim()}` };
}

function lineIn(stack: string, file: string): number {
  const at = stack.indexOf(file);
  const match = at === -1 ? null : /^(?:\?run=\d+)?:(\d+)/.exec(stack.slice(at + file.length));
  return Number(match?.[1] ?? 0);
}

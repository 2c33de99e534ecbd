// Plugins by name: built-in ones from their folder, third parties' from a file or an npm package. Imported only when a configuration names them.
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Plugin } from '../chain/handler.js';
import { API_PACKAGE, isMissingApi, isNativeModule } from '../corefile/native-import.js';
import { ownFile } from '../places.js';

/** Why a plugin cannot be used; the text completes `plugin "X" `. */
export class LoadError extends Error {}

/** Where a built-in plugin is imported from. */
export function builtInSpecifier(name: string): string {
  return ownFile(`plugins/${name}/setup.js`).href;
}

/**
 * The file URL behind what a `plugin` line names: a path, relative to `directory`, a file URL, or a package that is installed for that
 * directory. Throws a LoadError.
 */
export async function resolvePlugin(named: string, directory: string): Promise<string> {
  if (named.startsWith('file:')) return named;
  if (/^\.{0,2}\//.test(named) || isAbsolute(named)) {
    return pathToFileURL(isAbsolute(named) ? named : join(directory, named)).href;
  }
  const from = join(directory, 'Corefile');
  try {
    return pathToFileURL(createRequire(from).resolve(named)).href;
  } catch {
    // A package may offer itself to `import` alone, which `require` does not find.
    const { createJiti } = await import('jiti');
    const found = createJiti(from).esmResolve(named, { try: true });
    if (found === undefined) throw new LoadError(`is not installed in ${directory}`);
    return found;
  }
}

/** Imports a plugin from a file URL. Throws a LoadError when it cannot be or is not a plugin. */
export async function importPlugin(url: string): Promise<Plugin<unknown>> {
  const exported = await importDefault(url);
  const fault = faultOf(exported);
  if (fault !== undefined) throw new LoadError(fault);
  return exported as Plugin<unknown>;
}

async function importDefault(url: string): Promise<unknown> {
  try {
    if (isNative(url)) return defaultOf(await import(url));
  } catch (error) {
    // The API package is not installed beside the plugin: then it gets the server's own.
    if (!isMissingApi(error)) throw new LoadError(`cannot be loaded: ${reasonOf(error, url)}`);
  }
  try {
    const [{ createJiti }, api] = await Promise.all([import('jiti'), import('../plugin.js')]);
    const jiti = createJiti(url, { virtualModules: { [API_PACKAGE]: api }, fsCache: false });
    return defaultOf(await jiti.import(url));
  } catch (error) {
    throw new LoadError(`cannot be loaded: ${reasonOf(error, url)}`);
  }
}

/**
 * Whether Node itself can import the file, and no second copy of the server would come with it, whose replies would not be this server's
 * replies. Built-in plugins import the server by its place; all others by its name, which leads to the bundle.
 */
function isNative(url: string): boolean {
  if (url.startsWith(ownFile('plugins/').href)) return true;
  if (!isNativeModule(url)) return false;
  try {
    const api = createRequire(url).resolve(API_PACKAGE);
    return realpathSync(api) === realpathSync(ownFile('core/plugin.js'));
  } catch {
    return true;
  }
}

/** The default export, also of a CommonJS module compiled from ESM. */
function defaultOf(module: unknown): unknown {
  const exported = (module as { default?: unknown }).default;
  const inner = (exported as { default?: unknown } | undefined)?.default;
  return faultOf(exported) !== undefined && inner !== undefined ? inner : exported;
}

function faultOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return 'has no plugin as default export';
  const { name, syntax, partOf, setup, configure, control } = value as Partial<Plugin<unknown>>;
  if (typeof name !== 'string' || !/^[a-z][a-z0-9_]*$/.test(name)) {
    return 'has no name of lower-case letters, digits and underscores';
  }
  if (typeof syntax?.parse !== 'function') return `("${name}") has no syntax`;
  const works = Boolean(setup || configure || control);
  if (partOf !== undefined && works)
    return `("${name}") is part of "${partOf}", which does its work`;
  if (partOf === undefined && !works) return `("${name}") has none of setup, configure and control`;
  return undefined;
}

/** One line; Node's own messages repeat paths and stacks. */
function reasonOf(error: unknown, url: string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const file = fileURLToPath(url);
  // The code is Node's or that of jiti.
  if (code?.endsWith('MODULE_NOT_FOUND') && message.startsWith(`Cannot find module '${file}'`)) {
    return 'no such file';
  }
  if (code === 'ERR_MODULE_NOT_FOUND' && message.includes(file)) {
    return message.split(' imported from')[0] as string;
  }
  return String(message ?? error).split('\n')[0] as string;
}

/** The directory that names in `file` are relative to. */
export function directoryOf(file: string): string {
  return dirname(isAbsolute(file) ? file : join(process.cwd(), file));
}

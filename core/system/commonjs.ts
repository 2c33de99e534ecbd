// Loads CommonJS packages without `import`, for which Node would start its export scanner: a WebAssembly module, some 6 MB and 20 ms a thread.
import { createRequire } from 'node:module';

/** `require` of the server's own dependencies: `const { encode } = commonjs('dns-packet') as typeof import('dns-packet')`. */
export const commonjs: NodeJS.Require = createRequire(import.meta.url);

// Bundles what tsc compiled into dist/bundle/, the server that is packed and started. A module costs a process some 50 kB and each further thread 20,
// whatever is in it, and the server has 260 small ones. The folders are those of dist/: see core/places.ts. Packages that the server needs but that are
// none of its dependencies in package.json are inside of the bundle, with their licences beside it.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const COMPILED = join(root, 'dist');
const BUNDLE = join(COMPILED, 'bundle');
const KERNELS = 'core/simd/names.wasm';

/** What is started, imported or loaded by its name. */
const ENTRIES = [
  ...['core/main.js', 'core/control/worker.js', 'core/plugin.js', 'core/testing.js'],
  ...readdirSync(join(root, 'plugins'))
    .map((name) => `plugins/${name}/setup.js`)
    .filter((file) => existsSync(join(COMPILED, file))),
];

if (!isFresh()) await bundle();

/** Whether nothing that goes into the bundle is newer than it: a module, the kernels, esbuild, or its options here. */
function isFresh() {
  const made = ENTRIES.map((file) => modified(join(BUNDLE, file)));
  const parts = ['core', 'plugins'].flatMap((top) =>
    readdirSync(join(COMPILED, top), { recursive: true })
      .filter((name) => /(?<!\.test)\.js$|\.wasm$/.test(name))
      .map((name) => join(COMPILED, top, name)),
  );
  const tools = ['.ci/bundle.mjs', 'package.json', 'node_modules/esbuild/package.json'];
  const newest = [...parts, ...tools.map((path) => join(root, path))].map(modified);
  return Math.min(...made) >= Math.max(...newest);
}

/** 0 for a file that is not there. */
function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Made beside its place and renamed when whole, so that one cut short is made again. */
async function bundle() {
  const whole = `${BUNDLE}.part`;
  rmSync(whole, { recursive: true, force: true });
  const { metafile, outputFiles } = await build({
    entryPoints: ENTRIES.map((file) => join(COMPILED, file)),
    outbase: COMPILED,
    outdir: whole,
    bundle: true,
    splitting: true,
    // Beside core/places.ts.
    chunkNames: 'core/chunk-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: installed(),
    mainFields: ['module', 'main'],
    metafile: true,
    absWorkingDir: root,
    legalComments: 'none',
    sourcemap: 'inline',
    sourcesContent: false,
    logLevel: 'warning',
    write: false,
  });
  await Promise.all(outputFiles.map(({ path, text }) => writeScript(path, text)));
  mkdirSync(dirname(join(whole, KERNELS)), { recursive: true });
  copyFileSync(join(COMPILED, KERNELS), join(whole, KERNELS));
  writeFileSync(join(whole, 'LICENSES'), licences(Object.keys(metafile.inputs)));
  rmSync(BUNDLE, { recursive: true, force: true });
  renameSync(whole, BUNDLE);
}

/** Writes a bundled file, its map in the text, with constants and without white space. */
async function writeScript(path, text) {
  const options = { target: 'node20', minifyWhitespace: true, logLevel: 'silent' };
  const maps = { sourcemap: 'external', sourcesContent: false, sourcefile: path };
  const assigned = (await transform(withConstants(text, []), options)).warnings
    .filter(({ id }) => id === 'assign-to-constant')
    .map(({ location }) => /^[\w$]+/.exec(location.lineText.slice(location.column))[0]);
  const script = withConstants(text, assigned);
  const { code, map, warnings } = await transform(script, { ...options, ...maps });
  if (warnings.length > 0) throw new Error(`${path}: ${warnings[0].text}`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${code}//# sourceMappingURL=${basename(path)}.map\n`);
  writeFileSync(`${path}.map`, map);
}

/**
 * esbuild declares what modules declare as const or class with var. V8 takes constants, but no variables, into the code that it compiles: a miss takes 0.91 to 0.94
 * of its time with them, a hit 0.99. Those in `assigned` stay variables.
 */
function withConstants(text, assigned) {
  return text.replace(/^var ([\w$]+) = /gm, (declaration, name) =>
    assigned.includes(name) ? declaration : `const ${name} = `,
  );
}

/** What a user's npm installs beside the bundle. */
function installed() {
  const { dependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  return Object.keys({ ...dependencies, ...optionalDependencies });
}

/** The licences of the packages that files of the bundle are from. */
function licences(files) {
  const packages = new Set(files.flatMap((file) => /^node_modules\/[^/]+/.exec(file) ?? []));
  return [...packages]
    .map((folder) => {
      const name = readdirSync(join(root, folder)).find((file) => /^licen[cs]e/i.test(file));
      if (name === undefined) throw new Error(`${folder} has no licence`);
      return `${folder.slice('node_modules/'.length)}\n\n${readFileSync(join(root, folder, name), 'utf8')}`;
    })
    .join('\n');
}

// Makes a clone ready to run: installs what package-lock.json asks for, compiles to dist/ and bundles, each only when needed.
// Runs before anything is installed, so it uses nothing but Node.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const NEEDED = [20, 19];
const SOURCES = ['core', 'plugins', 'test', 'bench'];
const KERNELS = 'core/simd/assembly/names.ts';
const COMPILED_KERNELS = 'dist/core/simd/names.wasm';

requireNode();
if (!isInstalled()) install();
dropOrphans();
if (!areKernelsFresh()) compileKernels();
run('', process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json']);
run('', process.execPath, [join(root, '.ci/bundle.mjs')]);

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) return;
  console.error(
    `heimdall needs Node ${NEEDED.join('.')} or later, this is ${process.versions.node}`,
  );
  process.exit(1);
}

/** True when every package of the lock file is in node_modules in that version; optional ones may be missing. */
function isInstalled() {
  const hidden = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(hidden)) return false;
  const installed = JSON.parse(readFileSync(hidden, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const found = installed[path];
    if (found === undefined) return entry.optional === true || entry.peer === true;
    return found.version === entry.version && existsSync(join(root, path, 'package.json'));
  });
}

/** With the npm that runs this, if one does: it need not be on the PATH, and on Windows it is no program of its own. */
function install() {
  const npm = process.env.npm_execpath ?? '';
  const args = ['ci', '--loglevel=error'];
  if (npm.endsWith('npm-cli.js')) run('installing packages', process.execPath, [npm, ...args]);
  else run('installing packages', 'npm', args);
}

/** Removes compiled files whose source is gone, so that a deleted test is not run from dist/. */
function dropOrphans() {
  for (const top of SOURCES) {
    const compiled = join(root, 'dist', top);
    if (!existsSync(compiled)) continue;
    for (const name of readdirSync(compiled, { recursive: true })) {
      const source = name.replace(/(\.d\.ts|\.js\.map|\.js)$/, '.ts');
      if (source !== name && !existsSync(join(root, top, source))) rmSync(join(compiled, name));
    }
  }
}

/** The compiler takes a second, so it only runs when something is newer than what it made: the source, the compiler, or its options below. */
function areKernelsFresh() {
  const compiled = join(root, COMPILED_KERNELS);
  if (!existsSync(compiled)) return false;
  const made = statSync(compiled).mtimeMs;
  return [KERNELS, '.ci/prepare.mjs', 'node_modules/assemblyscript/package.json'].every(
    (path) => statSync(join(root, path)).mtimeMs <= made,
  );
}

/** Compiles the name kernels to WebAssembly; 256 pages as in core/simd/kernels.ts. Renamed when whole, so that one cut short is made again. */
function compileKernels() {
  const whole = join(root, COMPILED_KERNELS);
  mkdirSync(dirname(whole), { recursive: true });
  run('', process.execPath, [
    join(root, 'node_modules/assemblyscript/bin/asc.js'),
    ...[KERNELS, '--outFile', `${COMPILED_KERNELS}.part`, '-O3', '--runtime', 'stub'],
    ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '256'],
    ...['--enable', 'simd', '--enable', 'threads'],
  ]);
  renameSync(`${whole}.part`, whole);
}

function run(what, command, args) {
  if (what !== '') console.error(`heimdall: ${what}`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status === 0) return;
  console.error(
    `heimdall: ${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`,
  );
  process.exit(1);
}

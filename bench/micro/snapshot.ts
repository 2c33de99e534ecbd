// What does it cost to write a snapshot of the cache and to take it in again, and for how long does the event loop stand still meanwhile? No sockets, no processes; a file in the
// folder for temporary files.
//
// `longest` is how long the thread ran at most between two calls of a timer of a millisecond: on a machine of its own, by how much that timer is late.
//
// Run: node dist/bench/micro/snapshot.js [ENTRIES...].
import { closeSync, openSync, readSync } from 'node:fs';
import { loadSnapshot, saveSnapshot } from '../../core/control/snapshot-file.js';
import { CacheSnapshot } from '../../plugins/cache/snapshot.js';
import { tickOf } from '../../plugins/cache/ticks.js';
import { CacheBench } from '../../test/lib/cache-bench.js';
import { tempFolder } from '../../test/lib/temp-folder.js';

const DEFAULT_ENTRIES = [100_000, 1_000_000];
/** Room for names that meet in one place of the index. */
const HEADROOM = 1.1;
const TICK_MS = 1;
const OWNER = { fingerprint: 1, settings: 0, staleTicks: 0 };
function emptyCache(entries: number): CacheBench {
  return new CacheBench(`cache {\n success ${Math.ceil(entries * HEADROOM)}\n}`);
}

function snapshotOf(bench: CacheBench): CacheSnapshot {
  return new CacheSnapshot(bench.control.published, OWNER, () => tickOf(bench.clock.nowMs));
}

/** Milliseconds for which this thread has run on a processor, without what a hypervisor took. */
function ranMs(): number {
  const file = openSync('/proc/thread-self/schedstat', 'r');
  const text = Buffer.alloc(128);
  const length = readSync(file, text, 0, text.length, 0);
  closeSync(file);
  return Number(text.toString('latin1', 0, length).split(' ')[0]) / 1e6;
}

/** Does the work and prints what it took. */
async function watch(what: string, work: () => Promise<unknown>): Promise<void> {
  let lastMs = ranMs();
  let longest = 0;
  const look = (): void => {
    const nowMs = ranMs();
    longest = Math.max(longest, nowMs - lastMs);
    lastMs = nowMs;
  };
  const timer = setInterval(look, TICK_MS);
  const [startMs, start] = [performance.now(), process.cpuUsage()];
  await work();
  look();
  clearInterval(timer);
  const { user, system } = process.cpuUsage(start);
  const wall = (performance.now() - startMs).toFixed(0);
  const cpu = ((user + system) / 1000).toFixed(0);
  console.log(
    `${what}: ${wall} ms, ${cpu} ms CPU of all threads, longest ${longest.toFixed(1)} ms`,
  );
}

const given = process.argv.slice(2).map(Number);
for (const entries of given.length > 0 ? given : DEFAULT_ENTRIES) {
  const folder = tempFolder();
  const path = `${folder.path}/cache`;
  const bench = emptyCache(entries);
  bench.fill(entries);
  for (let round = 0; round < 3; round++) {
    await watch(`${entries} entries written`, () => saveSnapshot(path, [snapshotOf(bench)]));
  }
  const later = snapshotOf(emptyCache(entries));
  await watch(`${entries} entries taken in`, () =>
    loadSnapshot(path, [later], (section, error) => console.log(section, error)),
  );
  console.log(`  ${later.taken} taken, ${later.skipped} left out`);
  folder.remove();
}

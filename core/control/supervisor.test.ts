import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { tempFolder } from '../../test/lib/temp-folder.js';
import type { Plan } from '../chain/plan.js';
import { allocateCells, loadCell } from '../memory/cells.js';
import { MetricRegistry } from '../metrics/registry.js';
import { FakeMetrics } from '../testing/services.js';
import { createLogger } from './lines.js';
import { restartDelayMs, Supervisor } from './supervisor.js';
import { WorkerHandle } from './worker-handle.js';

/** Does what its argument says after the first start of a process, and with `always` after every one. */
const PLUGIN = `
import { definePlugin, directive, words } from 'heimdall';
const plugin = definePlugin({
  name: 'misbehave',
  syntax: directive({ args: { how: words() } }),
  setup({ how: [how, always] }, { log, metrics, published }) {
    metrics.counter('starts_total', 'Starts.').inc();
    const isFirst = Atomics.add(published, 0, 1) === 0;
    const acts = { 
      throw: () => setTimeout(() => { throw new Error('deliberate'); }, 5),
      exit: () => setTimeout(() => process.exit(7), 5),
      hang: () => setTimeout(() => { for (;;); }, 5),
    };
    return {
      onStart() {
        log.info('started');
        if (isFirst || always) acts[how]?.();
      },
      onStop: () => (how === 'linger' ? new Promise(() => {}) : log.info('stopped')),
      ready: () => how !== 'unready',
      serve: (q, next) => next(q),
    };
  },
});
export { plugin as default };
`;

class Fixture {
  readonly registry = new MetricRegistry();
  readonly metrics = new FakeMetrics();
  readonly starts = allocateCells(1);
  readonly exits: number[] = [];
  readonly supervisor: Supervisor;
  lines = '';
  readonly #plan: Plan;
  readonly #workers: number;
  #onLine = (): void => {};

  constructor(t: TestContext, how: string, workers = 1) {
    const folder = tempFolder();
    t.after(() => folder.remove());
    this.#plan = planOf(pathToFileURL(folder.write('misbehave.mjs', PLUGIN)).href, how);
    this.#workers = workers;
    const onLines = (text: string): void => {
      this.lines += text;
      this.#onLine();
    };
    this.supervisor = new Supervisor({
      // Short only where it matters: whoever measures coverage keeps a dying worker busy for long.
      ...(how === 'hang' && { checkMs: 100 }),
      handles: Array.from({ length: workers }, (_, worker) => new WorkerHandle(worker)),
      registry: this.registry,
      log: createLogger({ write: onLines }, '', false),
      restarts: this.metrics.counter('restarts', ''),
      skipped: this.metrics.counter('skipped', ''),
      onLines,
      onExit: (worker) => this.exits.push(worker),
    });
    t.after(() => this.supervisor.stop());
  }

  start(): Promise<void> {
    return this.supervisor.start(() => ({
      plan: this.#plan,
      workers: this.#workers,
      sockets: { udp: [], tcp: [] },
      published: new Map([['0/misbehave/0', this.starts]]),
    }));
  }

  /** Resolves when the log holds this. */
  async says(text: string): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onLine = () => {
        if (this.lines.includes(text)) resolve();
      };
      this.#onLine();
    });
  }
}

function planOf(module: string, how: string): Plan {
  const token = (text: string) => ({ text, file: 'Corefile', line: 1 });
  const directive = {
    name: token('misbehave'),
    args: how.split(' ').map(token),
    properties: [],
  };
  return {
    listeners: [],
    blocks: [
      {
        zones: ['.'],
        view: '',
        root: '/',
        listeners: [],
        directives: [directive],
        steps: [{ plugin: 'misbehave', instance: 0 }],
        fingerprints: [1],
      },
    ],
    modules: { misbehave: module },
    isDebug: false,
    withStacks: false,
  };
}

const deaths = [
  { how: 'throw', line: /worker 0 ended: Error: deliberate \(.*misbehave\.mjs:\d+:\d+\); it is/ },
  { how: 'exit', line: /worker 0 ended: it exited with code 7; it is/ },
  { how: 'hang', line: /worker 0 ended: it does not respond; it is/ },
];

for (const { how, line } of deaths) {
  test(`supervisor: a worker that dies of ${how} is replaced, its counts stay`, async (t) => {
    const fixture = new Fixture(t, how);
    await fixture.start();
    await fixture.says('worker 0 serves again');
    assert.match(fixture.lines, line);
    assert.deepEqual(fixture.exits, [0]);
    assert.equal(loadCell(fixture.starts, 0), 2);
    assert.equal(fixture.metrics.value('restarts'), 1);
    const family = fixture.registry.families().find((f) => f.name === 'misbehave_starts_total');
    assert.equal(family?.samples[0]?.values[0], 2);
  });
}

test('supervisor: one that keeps dying is replaced at growing intervals', async (t) => {
  const fixture = new Fixture(t, 'throw always');
  await fixture.start();
  await fixture.says('replaced in 0.5 s');
  assert.match(fixture.lines, /replaced now.*replaced in 0\.25 s.*replaced in 0\.5 s/s);
});

test('supervisor: the interval between replacements is bounded', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7, 8, 100].map(restartDelayMs),
    [0, 250, 500, 1000, 2000, 4000, 8000, 8000, 8000],
  );
});

test('supervisor: tells which plugins are not ready, and nothing while a worker does not run', async (t) => {
  const fixture = new Fixture(t, 'unready', 2);
  assert.equal(await fixture.supervisor.notReady(), undefined);
  await fixture.start();
  assert.deepEqual(await fixture.supervisor.notReady(), [['misbehave']]);
});

test('supervisor: a worker that does not stop is ended', async (t) => {
  const fixture = new Fixture(t, 'linger');
  await fixture.start();
  const startMs = performance.now();
  await fixture.supervisor.stop();
  assert.ok(performance.now() - startMs < 3_000);
  assert.deepEqual(fixture.exits, []);
});

test('supervisor: a worker that stops says its last words', async (t) => {
  const fixture = new Fixture(t, 'behave');
  await fixture.start();
  await fixture.supervisor.drain(1_000);
  await fixture.supervisor.stop();
  assert.equal(
    fixture.lines,
    '[INFO] plugin/misbehave: started\n[INFO] plugin/misbehave: stopped\n',
  );
});

test('supervisor: a module that cannot be loaded fails the start', async (t) => {
  const fixture = new Fixture(t, 'behave');
  const broken = planOf('file:///nowhere/plugin.js', 'behave');
  await assert.rejects(
    fixture.supervisor.start(() => ({
      plan: broken,
      workers: 1,
      sockets: { udp: [], tcp: [] },
      published: new Map(),
    })),
    /^Error: cannot be loaded: no such file$/,
  );
});

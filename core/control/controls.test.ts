import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Control } from '../chain/handler.js';
import { directive } from '../corefile/directive.js';
import { fakeServices } from '../testing/services.js';
import { Controls } from './controls.js';
import type { Instance } from './plan.js';
import { Publications } from './publications.js';

function instance(name: string, block: number, control?: Control): Instance {
  return {
    block,
    step: { plugin: name, instance: 0 },
    plugin: { name, syntax: directive({}), ...(control && { control: () => control }) },
    config: {},
    parts: new Map(),
    directives: [],
  };
}

function make(...instances: Instance[]): {
  controls: Controls;
  published: ReadonlyMap<string, unknown>;
  lines: string[];
} {
  const services = fakeServices();
  const published = services.metrics.counter('publications_total', '');
  const publications = new Publications(async () => {}, published);
  const controls = new Controls(instances, () => services, publications, services.log);
  return { controls, published: publications.newest, lines: services.lines };
}

/** A control part that notes what it is told. */
function noting(name: string, notes: string[], more: Partial<Control> = {}): Control {
  return {
    onStart: () => void notes.push(`${name} start`),
    onDrain: () => void notes.push(`${name} drain`),
    onStop: () => void notes.push(`${name} stop`),
    ...more,
  };
}

test('controls: start in order, stop in reverse', async () => {
  const notes: string[] = [];
  const { controls } = make(
    instance('a', 0, noting('a', notes)),
    instance('none', 0),
    instance('b', 1, noting('b', notes)),
  );
  await controls.start();
  await controls.drain();
  await controls.stop();
  await controls.stop();
  assert.deepEqual(notes, ['a start', 'b start', 'a drain', 'b drain', 'b stop', 'a stop']);
});

test('controls: all load at once, and a fault there is logged, no more', async () => {
  const notes: string[] = [];
  let release = (): void => {};
  const slow = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { controls, lines } = make(
    instance('a', 0, { onLoad: () => slow }),
    instance('b', 0, {
      onLoad: () => {
        throw new Error('deliberate');
      },
    }),
    instance('c', 0, noting('c', notes, { onLoad: () => release() })),
  );
  await controls.load();
  await controls.start();
  assert.deepEqual(notes, ['c start']);
  assert.deepEqual(lines, ['error fault in plugin b: deliberate']);
});

test('controls: what they publish is found by block, plugin and occurrence', () => {
  const { published } = make(
    instance('a', 0, { published: 1 }),
    instance('a', 1, { published: 2 }),
    instance('b', 1, {}),
  );
  assert.deepEqual(
    [...published],
    [
      ['0/a/0', 1],
      ['1/a/0', 2],
    ],
  );
});

test('controls: one that cannot start names itself, and only those before it are stopped', async () => {
  const notes: string[] = [];
  const { controls } = make(
    instance('a', 0, noting('a', notes)),
    instance('b', 0, noting('b', notes, { onStart: () => Promise.reject(new Error('no file')) })),
    instance('c', 0, noting('c', notes)),
  );
  await assert.rejects(controls.start(), /^Error: b: no file$/);
  await controls.stop();
  assert.deepEqual(notes, ['a start', 'a stop']);
});

test('controls: the drain waits for the slowest, and a fault is logged', async () => {
  const notes: string[] = [];
  const slow = (): Promise<void> =>
    new Promise((resolve) => {
      setTimeout(() => {
        notes.push('slow drain');
        resolve();
      }, 20);
    });
  const { controls, lines } = make(
    instance('a', 0, noting('a', notes, { onDrain: slow })),
    instance('b', 0, {
      onDrain: () => Promise.reject(new Error('deliberate')),
      onStop() {
        throw new Error('deliberate');
      },
    }),
  );
  await controls.start();
  await controls.drain();
  assert.deepEqual(notes, ['a start', 'slow drain']);
  await controls.stop();
  assert.deepEqual(notes, ['a start', 'slow drain', 'a stop']);
  assert.deepEqual(lines, [
    'error fault in plugin b: deliberate',
    'error fault in plugin b: deliberate',
  ]);
});

test('controls: all are told of a worker that ended', () => {
  const workers: number[] = [];
  const { controls, lines } = make(
    instance('a', 0, {
      onWorkerExit() {
        throw new Error('deliberate');
      },
    }),
    instance('b', 0, { onWorkerExit: (worker) => workers.push(worker) }),
  );
  controls.onWorkerExit(3);
  assert.deepEqual(workers, [3]);
  assert.deepEqual(lines, ['error fault in plugin a: deliberate']);
});

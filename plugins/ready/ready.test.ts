import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ENDPOINTS, PROCESS, type ProcessState } from '../../core/plugin.js';
import { fakeServices, HttpEndpoints } from '../../core/testing.js';
import { createControl, type ReadyConfig } from './ready.js';

interface Fixture {
  /** What the process says of the block. */
  state: { isStopping: boolean; waiting: readonly string[] | undefined };
  asked: number;
}

interface Block extends Fixture {
  readonly plugins: readonly string[];
  readonly monitor: ReadyConfig['monitor'];
}

function block(monitor: ReadyConfig['monitor'] = 'until-ready'): Block {
  const state = { isStopping: false, waiting: undefined };
  return { state, asked: 0, plugins: ['errors', 'forward', 'cache'], monitor };
}

/** Starts the endpoint for these blocks; gives a function that asks it for status and text. */
async function start(t: TestContext, ...blocks: Block[]): Promise<() => Promise<string>> {
  const endpoints = new HttpEndpoints();
  const address = { host: '127.0.0.1', port: 0 };
  for (const each of blocks) {
    const process: ProcessState = {
      version: '0',
      get isStopping() {
        return each.state.isStopping;
      },
      fail: () => {},
      notReady: async () => {
        each.asked++;
        return each.state.waiting;
      },
    };
    const services = fakeServices({
      block: { plugins: each.plugins },
      tokens: [
        [ENDPOINTS, endpoints],
        [PROCESS, process],
      ],
    });
    const control = createControl({ address, monitor: each.monitor }, services);
    await control.onStart?.();
    t.after(() => control.onStop?.());
  }
  // A mount of the same owner finds the endpoint, whatever port it took.
  const probe = await endpoints.mount('ready', { ...address, path: '/ready' }, () => {
    throw new Error('nothing is mounted');
  });
  t.after(() => probe.close());
  return async () => {
    const response = await fetch(`${probe.origin}/ready`);
    return `${response.status} ${await response.text()}`;
  };
}

test('ready: names what is not ready, then says OK', async (t) => {
  const one = block();
  const get = await start(t, one);
  assert.equal(await get(), '503 worker');
  one.state.waiting = ['cache', 'forward'];
  assert.equal(await get(), '503 cache,forward');
  one.state.waiting = ['forward'];
  assert.equal(await get(), '503 forward');
  one.state.waiting = [];
  assert.equal(await get(), '200 OK');
});

test('ready: a plugin that was ready once is not asked again', async (t) => {
  const one = block();
  const get = await start(t, one);
  one.state.waiting = ['forward'];
  await get();
  one.state.waiting = ['cache'];
  assert.equal(await get(), '200 OK');
  const { asked } = one;
  assert.equal(await get(), '200 OK');
  assert.equal(one.asked, asked);
});

test('ready: a worker that does not answer makes no plugin ready', async (t) => {
  const one = block();
  const get = await start(t, one);
  await get();
  one.state.waiting = ['forward'];
  assert.equal(await get(), '503 forward');
});

test('ready: monitored continuously, a plugin may become not ready again', async (t) => {
  const one = block('continuously');
  const get = await start(t, one);
  one.state.waiting = [];
  assert.equal(await get(), '200 OK');
  one.state.waiting = ['forward'];
  assert.equal(await get(), '503 forward');
  one.state.waiting = undefined;
  assert.equal(await get(), '503 worker');
});

test('ready: an address is ready when all its blocks are', async (t) => {
  const [one, two] = [block(), block()];
  const get = await start(t, one, two);
  one.state.waiting = ['forward'];
  two.state.waiting = ['cache', 'forward'];
  assert.equal(await get(), '503 cache,forward');
  one.state.waiting = [];
  two.state.waiting = [];
  assert.equal(await get(), '200 OK');
});

test('ready: says no from the moment the process stops', async (t) => {
  const one = block();
  const get = await start(t, one);
  one.state.waiting = [];
  assert.equal(await get(), '200 OK');
  one.state.isStopping = true;
  assert.equal(await get(), '503 Shutting down');
});

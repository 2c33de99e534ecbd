// The wheel against a plain list of timers, and its limits.
import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '../testing/clock.js';
import { FakeMetrics } from '../testing/services.js';
import { TIMER_LIMIT, type TimerLimits, TimerWheel } from './timer-wheel.js';

interface Rig {
  readonly clock: FakeClock;
  readonly wheel: TimerWheel;
  readonly fired: number[];
  readonly note: (arg: number) => void;
}

function rig(startMs = 1_000_000, limits?: TimerLimits): Rig {
  const clock = new FakeClock();
  clock.nowMs = startMs;
  const wheel = new TimerWheel(clock, false, limits);
  clock.onAdvance((nowMs) => wheel.advance(nowMs));
  const fired: number[] = [];
  return { clock, wheel, fired, note: (arg) => fired.push(arg) };
}

test('timer wheel: a timer fires at its time or up to 10 ms later, never before', () => {
  for (const startMs of [1_000_000, 1_000_000.4, 1_000_009.9]) {
    for (const delayMs of [0, 1, 9.5, 10, 25, 2000, 10_239, 10_240, 10_250, 60_000]) {
      const { clock, wheel, fired, note } = rig(startMs);
      wheel.start(delayMs, note, 1);
      let waitedMs = 0;
      while (fired.length === 0 && waitedMs < delayMs + 100) {
        clock.advance(0.5);
        waitedMs += 0.5;
      }
      assert.ok(waitedMs >= delayMs && waitedMs <= delayMs + 10.5, `${delayMs}: ${waitedMs}`);
    }
  }
});

test('timer wheel: timers of one tick fire in the order they were started', () => {
  const { clock, wheel, fired, note } = rig();
  for (let i = 0; i < 100; i++) wheel.start(50, note, i);
  clock.advance(60);
  assert.deepEqual(
    fired,
    Array.from({ length: 100 }, (_, i) => i),
  );
  assert.equal(wheel.pending, 0);
});

test('timer wheel: a long pause fires everything that became due in it, once', () => {
  const { clock, wheel, fired, note } = rig();
  for (let i = 0; i < 3000; i++) wheel.start(i * 10, note, i);
  clock.advance(3_600_000);
  assert.equal(fired.length, 3000);
  clock.advance(3_600_000);
  assert.equal(fired.length, 3000);
});

test('timer wheel: a timer that was taken back does not fire', () => {
  const { clock, wheel, fired, note } = rig();
  const first = wheel.start(100, note, 1);
  wheel.start(100, note, 2);
  wheel.cancel(first);
  clock.advance(200);
  assert.deepEqual(fired, [2]);
});

test('timer wheel: a handle that fired, was taken back or never was is ignored', () => {
  const { clock, wheel, fired, note } = rig();
  const old = wheel.start(10, note, 1);
  clock.advance(20);
  // The place of the old timer is used again at some point: its handle must not touch the new ones.
  for (let i = 0; i < 5000; i++) wheel.start(10, note, 2);
  for (const handle of [old, 0, -1, 12345, 2 ** 31 - 1]) wheel.cancel(handle);
  clock.advance(20);
  assert.equal(fired.length, 5001);
});

test('timer wheel: what fires may start and take back others', () => {
  const { clock, wheel, fired } = rig();
  const handles: number[] = [];
  const chain = (arg: number): void => {
    fired.push(arg);
    wheel.cancel(handles[arg + 1] as number);
    if (arg < 10) wheel.start(0, chain, arg + 100);
  };
  for (let i = 0; i < 10; i++) handles.push(wheel.start(30, chain, i));
  clock.advance(40);
  assert.deepEqual(fired, [0, 2, 4, 6, 8]);
  clock.advance(20);
  assert.deepEqual(fired.slice(5), [100, 102, 104, 106, 108]);
  assert.equal(wheel.pending, 0);
});

test('timer wheel: agrees with a list of timers over random starts, cancels and pauses', () => {
  const { clock, wheel, fired, note } = rig();
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  const model = new Map<number, { handle: number; atMs: number }>();
  for (let step = 0; step < 20_000; step++) {
    const choice = random(10);
    if (choice < 6) {
      const delayMs = random(4) === 0 ? random(40_000) : random(300);
      model.set(step, { handle: wheel.start(delayMs, note, step), atMs: clock.nowMs + delayMs });
    } else if (choice < 8 && model.size > 0) {
      const [key, timer] = [...model][random(model.size)] as [number, { handle: number }];
      wheel.cancel(timer.handle);
      model.delete(key);
    } else {
      fired.length = 0;
      clock.advance(random(400) / 10);
      for (const arg of fired) {
        const timer = model.get(arg);
        assert.ok(timer !== undefined && timer.atMs <= clock.nowMs, `timer ${arg} too early`);
        model.delete(arg);
      }
      for (const { atMs } of model.values()) assert.ok(atMs > clock.nowMs - 10, 'timer too late');
    }
    assert.equal(wheel.pending, model.size);
  }
});

test('timer wheel: beyond its limit nothing is started, and it recovers', () => {
  const metrics = new FakeMetrics();
  const limits = { slots: metrics.gauge('slots', ''), refused: metrics.counter('refused', '') };
  const { clock, wheel, fired, note } = rig(0, limits);
  const first = metrics.value('slots');
  assert.ok(first > 0 && first < TIMER_LIMIT);
  for (let i = 0; i < TIMER_LIMIT; i++) assert.notEqual(wheel.start(100, note, i), 0);
  assert.deepEqual([metrics.value('slots'), metrics.value('refused')], [TIMER_LIMIT, 0]);
  assert.equal(wheel.start(100, note, -1), 0);
  assert.equal(metrics.value('refused'), 1);
  clock.advance(110);
  assert.equal(fired.length, TIMER_LIMIT);
  assert.notEqual(wheel.start(100, note, -2), 0);
});

test('timer wheel: a timer started from a stale clock counts from now', () => {
  const clock = new FakeClock();
  const wheel = new TimerWheel(
    {
      get nowMs() {
        return clock.nowMs;
      },
      freshen: () => {
        clock.nowMs = 2_000_000;
      },
    },
    false,
  );
  let count = 0;
  wheel.start(100, () => count++, 0);
  wheel.advance(2_000_050);
  assert.equal(count, 0);
  wheel.advance(2_000_110);
  assert.equal(count, 1);
});

test('timer wheel: by itself it fires in time and then lets the event loop end', async () => {
  const wheel = new TimerWheel({
    nowMs: performance.now(),
    refresh() {
      (this as { nowMs: number }).nowMs = performance.now();
    },
  });
  const startedMs = performance.now();
  const order: number[] = [];
  await new Promise<void>((resolve) => {
    wheel.start(60, () => resolve(order.push(60) as unknown as undefined), 0);
    wheel.start(30, () => order.push(30), 0);
    wheel.start(5000, () => order.push(5000), 0);
  });
  assert.deepEqual(order, [30, 60]);
  assert.ok(performance.now() - startedMs >= 60);
  wheel.close();
  assert.equal(wheel.pending, 0);
});

test('timer wheel: a callback that throws does not stop the others', () => {
  const { clock, wheel, fired, note } = rig();
  wheel.start(
    10,
    () => {
      throw new Error('fault');
    },
    0,
  );
  wheel.start(10, note, 1);
  assert.throws(() => clock.advance(20), /fault/);
  clock.advance(20);
  assert.deepEqual(fired, [1]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { a, CacheBench, MIDNIGHT_MS, withPrefetch } from '../../test/lib/cache-bench.js';
import { prefetchControl } from '../../test/lib/prefetch-kit.js';

const TTL = 300;
const HOUR = 3600;
const DAY = 24 * HOUR;

const MORNING = 'intranet.example.org';
const ALWAYS = 'www.example.org';

/** A cache that lives through days, 20 seconds at a time. */
class Days {
  #second = 0;
  readonly b = new CacheBench('cache', withPrefetch('prefetch 0'));
  /** The main thread's part, with the same time of day. */
  readonly main = prefetchControl(this.b, () => MIDNIGHT_MS + this.#second * 1000);
  /** Names that reached the upstream. */
  asked: string[] = [];

  constructor() {
    this.b.says = (q) => {
      this.asked.push(q.qname.slice(0, -1));
      return { answers: [a(q.qname, TTL)] };
    };
    this.b.handler.onStart();
  }

  /** Until `hour` of the day on which it is; people who ask for something every 100 seconds. */
  async until(day: number, hour: number, ...names: string[]): Promise<void> {
    const end = day * DAY + hour * HOUR;
    for (; this.#second < end; this.#second += 20) {
      if (this.#second % 100 === 0) for (const name of names) await this.b.ask(name);
      this.b.advance(20);
    }
  }

  /** Whole days on which one name is asked for from nine to twelve, another all day. */
  async live(from: number, to: number): Promise<void> {
    for (let day = from; day < to; day++) {
      await this.until(day, 9, ALWAYS);
      await this.until(day, 12, ALWAYS, MORNING);
      await this.until(day, 24, ALWAYS);
    }
  }

  refreshesOf(name: string): number {
    return this.asked.filter((asked) => asked === name).length;
  }
}

test('prefetch: what was popular at a time of day is there when that begins', async () => {
  const days = new Days();
  await days.live(0, 2);
  await days.until(2, 8.9, ALWAYS);
  days.asked = [];
  await days.until(2, 9.01, ALWAYS);
  assert.equal(days.refreshesOf(MORNING), 1);
  const misses = days.b.count('misses_total');
  await days.b.ask(MORNING);
  assert.equal(days.b.count('misses_total'), misses);
});

test('prefetch: at other times it is not, nor when it is not used', async () => {
  const days = new Days();
  await days.live(0, 2);
  await days.until(2, 8.9, ALWAYS);
  days.asked = [];
  // A holiday.
  await days.until(3, 8.9, ALWAYS);
  assert.equal(days.refreshesOf(MORNING), 3);
  assert.ok(days.refreshesOf(ALWAYS) > 200);
});

test('prefetch: what was learnt fades over days in which nobody asks', async () => {
  const days = new Days();
  await days.live(0, 2);
  const [known] = (await days.main.services.commands.run('prefetch', 'list')).filter(
    ({ name }) => name === `${MORNING}.`,
  );
  assert.match(String(known?.day), /^0 0 0 100 \d 0 0 0$/);
  await days.until(9, 0);
  days.asked = [];
  await days.until(10, 0);
  assert.deepEqual(days.asked, []);
});

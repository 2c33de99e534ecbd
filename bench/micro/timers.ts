// What a time-out costs: started and taken back before it fires, as nearly all are, among others that are pending.
import { FakeClock } from '../../core/testing/clock.js';
import { TimerWheel } from '../../core/upstream/timer-wheel.js';
import { measure } from './rounds.js';

const CALLS = 1_000_000;
const ignore = (): void => {};

for (const pending of [0, 1000, 16_000]) {
  const wheel = new TimerWheel(new FakeClock());
  for (let i = 0; i < pending; i++) wheel.start(2000 + (i % 100), ignore, i);
  measure(`timer: start and cancel, ${pending} pending`, CALLS, (calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) {
      const handle = wheel.start(2000, ignore, i);
      wheel.cancel(handle);
      sum += handle;
    }
    return sum;
  });
  wheel.close();
}

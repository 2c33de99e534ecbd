// What *forward* costs a miss beside the system calls: an upstream chosen, the message written and put under way with a timer, the reply judged, the query
// settled. With one upstream and with several, by policy; answers come after every batch.
import { type Query, type ReplySink, SOCKETS, TIMERS } from '../../core/plugin.js';
import { FakeClock, fakeServices, makeQuery, parseDirective } from '../../core/testing.js';
import { TimerWheel } from '../../core/upstream/timer-wheel.js';
import forward from '../../plugins/forward/setup.js';
import { ShortCircuit } from '../lib/short-circuit.js';
import { measure } from './rounds.js';

const CALLS = 256_000;
const BATCH = 256;

let settled = 0;
const sink: ReplySink = {
  deliver() {
    settled++;
  },
  fault(_q, error) {
    throw error;
  },
};
const out = new Uint8Array(4096);
const queries = Array.from({ length: BATCH }, (_, i) => {
  const q = makeQuery(`www${i}.some-zone.example.org`, 'A', { udpSize: 1232 }, sink);
  q.out = out;
  return q;
});
const next = (): never => {
  throw new Error('nothing is behind forward');
};

async function misses(name: string, text: string): Promise<void> {
  const clock = new FakeClock();
  const timers = new TimerWheel(clock, false);
  const layer = new ShortCircuit();
  const [config] = parseDirective(forward, text);
  const services = fakeServices({
    clock,
    tokens: [
      [SOCKETS, layer],
      [TIMERS, timers],
    ],
  });
  if (config === undefined) throw new Error(text);
  const handler = forward.setup?.(config, services);
  await handler?.onStart?.();
  measure(`forward: ${name}`, CALLS, (calls) => {
    settled = 0;
    for (let i = 0; i < calls; i += BATCH) {
      for (let k = 0; k < BATCH; k++) {
        const q = queries[k] as Query;
        q.reset();
        void handler?.serve(q, next);
      }
      layer.turn();
      clock.nowMs++;
    }
    if (settled < calls) throw new Error(`${settled} of ${calls} settled`);
    return settled;
  });
  await handler?.onStop?.();
  timers.close();
}

const four = [1, 2, 3, 4].map((n) => `127.0.0.${n}`).join(' ');
await misses('one upstream', 'forward . 127.0.0.1');
for (const policy of ['fastest', 'random', 'round_robin', 'sequential']) {
  await misses(`four upstreams, ${policy}`, `forward . ${four} {\n policy ${policy}\n}`);
}

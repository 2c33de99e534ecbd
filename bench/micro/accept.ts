// What the acceptance gate costs per query.
import { makeQuery } from '../../core/testing/query.js';
import { accept } from '../../core/wire/accept.js';
import { measure } from './rounds.js';

const CALLS = 2_000_000;
const COOKIE = new Uint8Array(8);
const SUBNET = Uint8Array.of(0, 1, 24, 0, 192, 0, 2);

const cases = [
  { name: 'without OPT', q: makeQuery('www.example.org.', 'A') },
  { name: 'with OPT', q: makeQuery('www.example.org.', 'A', { do: true }) },
  {
    name: 'with OPT, long mixed-case name',
    q: makeQuery('A1b2C3d4e5.eu-WEST-1.Compute.INTERNAL.example.org.', 'AAAA', { do: true }),
  },
  {
    name: 'with OPT, cookie and client subnet',
    q: makeQuery('www.example.org.', 'A', {
      options: [
        [10, COOKIE],
        [8, SUBNET],
      ],
    }),
  },
];

// Slots over shared memory, as the server has them.
const slots = new SharedArrayBuffer(cases.length * 4096);
cases.forEach(({ q }, i) => {
  const slot = new Uint8Array(slots, i * 4096, 4096);
  slot.set(q.wire);
  q.wire = slot;
});
for (const { name, q } of cases) {
  measure(`accept: ${name}`, CALLS, (calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) sum += accept(q) + q.labels;
    return sum;
  });
}

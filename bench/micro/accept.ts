// What the acceptance gate costs per query: in a slot that the name kernels see, as the server's are, and in one they do not see, as over TCP.

import { placeForKernels } from '../../core/simd/kernels.js';
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

const place = placeForKernels(cases.length * 4096);
if (place === undefined) throw new Error('no WebAssembly with vectors');
const plain = { memory: new SharedArrayBuffer(cases.length * 4096), at: 0 };
cases.forEach(({ name, q }, i) => {
  const wire = q.wire;
  for (const { memory, at } of [plain, place]) {
    const slotAt = memory === plain.memory ? -1 : at + i * 4096;
    q.wire = new Uint8Array(memory, at + i * 4096, 4096);
    q.wire.set(wire);
    measure(`${name}${slotAt < 0 ? ', unseen' : ''}`, CALLS, (calls) => {
      let sum = 0;
      for (let n = 0; n < calls; n++) sum += accept(q, slotAt) + q.labels;
      return sum;
    });
  }
});

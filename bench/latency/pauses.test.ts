import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pausesIn } from './pauses.js';

const TRACE = `[4711:0x6a3c000]      124 ms: Scavenge 5.1 (5.5) -> 4.4 (6.5) MB, 0.83 / 0.00 ms  (average mu = 1.000, current mu = 1.000) allocation failure;
started
[4711:0x7f1230000d80]     1310 ms: Mark-Compact (reduce) 6.2 (8.1) -> 5.0 (7.4) MB, 2.06 / 0.01 ms  (+ 1.0 ms in 12 steps since start of marking) finalize incremental marking via task; GC in old space requested
[4711:0x6a3c000]     2001 ms: Scavenge 7.0 (8.0) -> 5.0 (8.0) MB, 0.40 / 0.00 ms  (average mu = 1.000, current mu = 1.000) task;
`;

test('pauses are read with their kind, by thread', () => {
  assert.deepEqual(pausesIn(TRACE), [
    {
      thread: '0x6a3c000',
      pauses: [
        { kind: 'Scavenge', ms: 0.83 },
        { kind: 'Scavenge', ms: 0.4 },
      ],
    },
    { thread: '0x7f1230000d80', pauses: [{ kind: 'Mark-Compact', ms: 2.06 }] },
  ]);
  assert.deepEqual(pausesIn('started\n'), []);
});

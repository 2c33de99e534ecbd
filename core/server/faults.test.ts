import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeServices } from '../testing.js';
import { FaultLog } from './faults.js';

test('faults: the first of a cause is a line with its place, repeats wait for a minute', () => {
  const { log, lines } = fakeServices();
  const faults = new FaultLog(log, false);
  const error = new TypeError('broken');
  for (let i = 0; i < 1000; i++) faults.report('block', error, i);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^error fault in plugin block: TypeError: broken \(.*faults\.test/);
  faults.report('block', error, 61_000);
  assert.equal(lines[1], 'error fault in plugin block: TypeError: broken: 1000 more times');
});

test('faults: texts that change with every query share one line', () => {
  const { log, lines } = fakeServices();
  const faults = new FaultLog(log, false);
  for (let i = 0; i < 5000; i++) faults.report('block', new Error(`name ${i}`), 0);
  assert.equal(lines.length, 101);
});

test('faults: whatever is thrown is reported', () => {
  const { log, lines } = fakeServices();
  new FaultLog(log, true).report('block', 'a string', 0);
  assert.deepEqual(lines, ['error fault in plugin block: a string']);
});

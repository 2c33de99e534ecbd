// A program for tests: writes one snapshot after another until it is killed, FILE being its argument. Each is full of its own number.
import { saveSnapshot } from '../../core/control/snapshot-file.js';
import { numbered } from './numbered-section.js';

const [, , file = ''] = process.argv;
for (let number = 1; ; number++) {
  await saveSnapshot(file, [numbered('first', number), numbered('second', number)]);
  if (number === 3) process.stdout.write('writing\n');
}

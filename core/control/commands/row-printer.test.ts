import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Row } from '../../container/commands.js';
import { RowPrinter } from './row-printer.js';

function printed(rows: readonly Row[]): string {
  let text = '';
  const printer = new RowPrinter((more) => {
    text += more;
  });
  for (const row of rows) printer.add(row);
  printer.end();
  return text;
}

test('row printer: columns are as wide as what is in them, numbers stand right', () => {
  const rows = [
    { name: 'a.example.org.', ttl: 5, stale: false },
    { name: 'b.', ttl: null, stale: true },
    { name: 'c.', ttl: 3600, stale: false },
  ];
  assert.equal(
    printed(rows),
    `NAME             TTL  STALE
a.example.org.     5  -
b.                 -  yes
c.              3600  -
`,
  );
});

test('row printer: other columns begin another table', () => {
  assert.equal(printed([{ a: 1 }, { b: 'x', a: 2 }]), 'A\n1\nB  A\nx  2\n');
});

test('row printer: nothing is printed for nothing', () => assert.equal(printed([]), ''));

test('row printer: what could command a terminal is not passed on', () => {
  assert.equal(printed([{ a: 'x\u001b[2J\u009b\u202e\ny' }]), 'A\nx?[2J???y\n');
});

test('row printer: rows past the sample are printed at once, even where they are wider', () => {
  const chunks: string[] = [];
  const printer = new RowPrinter((text) => void chunks.push(text));
  for (let i = 0; i < 256; i++) printer.add({ a: 'x', b: 'y' });
  printer.add({ a: 'long', b: 'y' });
  assert.equal(chunks.length, 2);
  assert.equal(chunks[1], 'long  y\n');
});

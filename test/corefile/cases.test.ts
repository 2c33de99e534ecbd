// Runs every cases/*.case. They are read from the sources: the compiler copies no text files.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readCase, runCase } from './case-file.js';

const folder = new URL('../../../test/corefile/cases/', import.meta.url);

for (const name of readdirSync(folder).toSorted()) {
  test(`corefile case: ${name.replace('.case', '').replaceAll('-', ' ')}`, () => {
    const parsed = readCase(readFileSync(new URL(name, folder), 'utf8'));
    assert.notEqual(parsed.expected, '', 'a case says what it expects');
    assert.equal(runCase(parsed), parsed.expected);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  classFromName,
  className,
  Rcode,
  RRType,
  rcodeFromName,
  rcodeName,
  typeFromName,
  typeName,
} from './constants.js';

test('constants: every type and rcode is found by its name in any case, and named', () => {
  for (const [name, n] of Object.entries(RRType)) {
    assert.equal(typeName(n), name);
    assert.equal(typeFromName(name.toLowerCase()), n);
  }
  for (const [name, n] of Object.entries(Rcode)) {
    assert.equal(rcodeName(n), name);
    assert.equal(rcodeFromName(name.toLowerCase()), n);
  }
});

test('constants: what has no mnemonic is named by its number (RFC 3597 section 5)', () => {
  assert.equal(typeName(65280), 'TYPE65280');
  assert.equal(className(5), 'CLASS5');
  assert.equal(rcodeName(24), 'RCODE24');
  assert.equal(typeFromName('type65280'), 65280);
  assert.equal(classFromName('CLASS4'), 4);
  assert.equal(classFromName('in'), 1);
  assert.equal(className(3), 'CH');
});

test('constants: other names are unknown', () => {
  for (const name of [
    '',
    'TYPE',
    'TYPE65536',
    'TYPE-1',
    'TYPE1x',
    'TYPE1.0',
    'CLASS1',
    'toString',
  ]) {
    assert.equal(typeFromName(name), undefined);
  }
});

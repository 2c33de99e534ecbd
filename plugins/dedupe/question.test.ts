import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EdnsOption } from '../../core/plugin.js';
import { makeQuery, type QueryOptions } from '../../core/testing.js';
import { Question } from './question.js';

const SEED = [11, 22] as const;

/** Everything that makes a question the same as another. */
function keyOf(name: string, options: QueryOptions = {}, seed: readonly [number, number] = SEED) {
  const question = new Question(seed);
  question.set(makeQuery(name, 'A', options));
  const { kind, flags, words, count, low, high } = question;
  return { kind, flags, words: [...words.subarray(0, count)], low, high };
}

function subnet(...data: readonly number[]): QueryOptions {
  return { options: [[EdnsOption.ECS, Uint8Array.from(data)]] };
}

test('question: a name is the same in any case', () => {
  assert.deepEqual(keyOf('wWw.eXample.ORG'), keyOf('www.example.org'));
});

test('question: seeds make different hashes', () => {
  const hashes = [1, 2, 3, 4, 5].map((seed) => keyOf('www.example.org', {}, [seed, seed]));
  assert.equal(new Set(hashes.map(({ low }) => low)).size, 5);
  assert.equal(new Set(hashes.map(({ high }) => high)).size, 5);
});

test('question: hashes of many names spread over a table', () => {
  const buckets = new Uint16Array(256);
  for (let i = 0; i < 4096; i++) {
    const at = keyOf(`n${i}.example.org`).high & 255;
    buckets[at] = (buckets[at] as number) + 1;
  }
  // 16 are expected in each; a bucket of 48 would be eight standard deviations away.
  assert.ok(Math.max(...buckets) < 48, `fullest bucket has ${Math.max(...buckets)}`);
});

test('question: networks are the same only in family, prefix and address', () => {
  const same = keyOf('example.org', subnet(0, 1, 24, 0, 192, 0, 2));
  assert.deepEqual(keyOf('example.org', subnet(0, 1, 24, 0, 192, 0, 2)), same);
  for (const other of [
    {},
    subnet(0, 1, 24, 0, 192, 0, 3),
    subnet(0, 1, 23, 0, 192, 0, 2),
    subnet(0, 1, 16, 0, 192, 0),
    subnet(0, 1, 0, 0),
    subnet(0, 2, 24, 0, 0x20, 1, 0x0d),
    subnet(0, 2, 64, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1),
  ]) {
    assert.notDeepEqual(keyOf('example.org', other), same);
  }
});

test('question: a network that upstreams are not told is none; to refuse one is another question', () => {
  const plain = keyOf('example.org');
  assert.deepEqual(keyOf('example.org', subnet(0, 1, 24, 0, 10, 0, 2)), plain);
  assert.notDeepEqual(keyOf('example.org', subnet(0, 1, 0, 0)), plain);
});

test('question: another option in front of the subnet changes nothing', () => {
  const ecs = [EdnsOption.ECS, Uint8Array.of(0, 1, 24, 0, 192, 0, 2)] as const;
  const cookie = [EdnsOption.COOKIE, new Uint8Array(8)] as const;
  assert.deepEqual(
    keyOf('example.org', { options: [cookie, ecs] }),
    keyOf('example.org', { options: [ecs] }),
  );
});

test('question: the longest name with a network has room', () => {
  const label = 'x'.repeat(63);
  const name = [label, label, label, 'x'.repeat(61)].join('.');
  assert.equal(keyOf(name, subnet(0, 1, 24, 0, 192, 0, 2)).words.length, 67);
});

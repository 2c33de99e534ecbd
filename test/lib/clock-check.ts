// Whether the clocks of a slab are what they must be: for tests, with nobody writing meanwhile.
import assert from 'node:assert/strict';
import { ENTRY_WORDS, type SlabGeometry } from '../../core/memory/geometry.js';
import { Entry, Shard } from '../../core/memory/shard.js';

/** Fails unless every entry in use is in exactly one clock of its shard, both ways round, and the numbers kept of them agree. */
export function checkClocks(memory: SharedArrayBuffer, geometry: SlabGeometry): void {
  const words = new Int32Array(memory);
  for (let i = 0; i < geometry.shards; i++) checkShard(words, geometry, i);
}

function checkShard(words: Int32Array, geometry: SlabGeometry, i: number): void {
  const shard = geometry.start + i * geometry.shardWords;
  const at = (word: number): number => words[shard + word] as number;
  const seen = new Set<number>();
  for (const list of [0, 1]) {
    let older = 0;
    let count = 0;
    for (let entry = at(Shard.OLDEST + list); entry !== 0; ) {
      assert.ok(!seen.has(entry), `entry ${entry} is met twice`);
      assert.ok(entry <= at(Shard.ENTRIES_TOUCHED), `entry ${entry} was never used`);
      seen.add(entry);
      const body = at(geometry.entriesAt + (entry - 1) * ENTRY_WORDS + Entry.BODY);
      assert.notEqual(body, 0, `entry ${entry} is free`);
      assert.equal(body < 0 ? 1 : 0, list, `entry ${entry} says it is in the other list`);
      const link = geometry.linksAt + (entry - 1) * 2;
      assert.equal(at(link), older, `the one before entry ${entry}`);
      older = entry;
      entry = at(link + 1);
      count++;
    }
    assert.equal(at(Shard.NEWEST + list), older);
    assert.equal(at(Shard.LISTED + list), count);
  }
  assert.equal(seen.size, at(Shard.ENTRIES_USED), 'entries in the clocks and in use');
  assert.ok(at(Shard.TARGET) >= 0 && at(Shard.TARGET) <= geometry.entries);
}

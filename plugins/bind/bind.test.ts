import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import type { BlockSettings } from '../../core/plugin.js';
import { parseDirective } from '../../core/testing.js';
import bind from './setup.js';

function settings(addresses: string[]): BlockSettings {
  return { addresses, root: '/', isDebug: false, withStacks: false, warnings: [] };
}

test('bind: the addresses become those of the server block', () => {
  const block = settings([]);
  for (const config of parseDirective(bind, 'bind 127.0.0.1\nbind ::1'))
    bind.configure?.(config, block);
  assert.deepEqual(block.addresses, ['127.0.0.1', '::1']);
  assert.equal(bind.setup, undefined);
});

test("bind: this machine's interfaces are known by name", () => {
  const all = networkInterfaces();
  for (const [name, addresses] of Object.entries(all)) {
    const [config] = parseDirective(bind, `bind ${name}`);
    assert.equal(config?.length, addresses?.length);
    for (const address of config ?? []) {
      assert.ok(addresses?.some((info) => address === info.address || address.startsWith('fe80:')));
    }
  }
});

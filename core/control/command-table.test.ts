import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockPlan, Plan } from '../chain/plan.js';
import { CommandError, type Row } from '../container/commands.js';
import { blockName, CommandTable } from './command-table.js';

async function rowsOf(rows: AsyncIterable<Row>): Promise<Row[]> {
  const all: Row[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

test('command table: the rows of all blocks follow one another, each with its block', async () => {
  const table = new CommandTable();
  table.forBlock('.:53').add('say', 'WORD', (args) => [{ word: args[0] ?? null }]);
  table.forBlock('example.org.:53').add('say', 'WORD', async function* (args) {
    yield { word: args[0] ?? null };
    yield { word: 'end' };
  });
  assert.deepEqual(await rowsOf(table.run('say', ['hi'])), [
    { block: '.:53', word: 'hi' },
    { block: 'example.org.:53', word: 'hi' },
    { block: 'example.org.:53', word: 'end' },
  ]);
});

test('command table: an unknown command is misuse that names the known ones', async () => {
  const table = new CommandTable();
  table.forBlock('.:53').add('cache', 'list', () => []);
  await assert.rejects(rowsOf(table.run('cahce', [])), (error: Error) => {
    assert.ok(error instanceof CommandError);
    assert.equal(
      error.message,
      'unknown command "cahce", did you mean "cache"?; want cache, check, commands, help, plan',
    );
    return true;
  });
});

test('command table: commands lists what is understood', async () => {
  const table = new CommandTable();
  table.forBlock('.:53').add('upstreams', 'shows upstreams', () => []);
  table.forBlock('.:53').add('cache', 'list', () => []);
  assert.deepEqual(await rowsOf(table.run('commands', [])), [
    { command: 'cache', help: 'list' },
    { command: 'upstreams', help: 'shows upstreams' },
  ]);
  await assert.rejects(rowsOf(table.run('commands', ['x'])), CommandError);
});

test('command table: the words of the command line itself cannot be taken', () => {
  const commands = new CommandTable().forBlock('.:53');
  for (const name of ['check', 'plan', 'commands', 'help', 'Cache', '-x', '']) {
    assert.throws(() => commands.add(name, '', () => []), /a command cannot be called/);
  }
});

test('command table: a block is known by zones, ports, addresses and view', () => {
  const listener = { scheme: 'dns', text: '', routes: [] } as const;
  const plan = {
    listeners: [
      { ...listener, address: '', port: 53 },
      { ...listener, address: '192.0.2.1', port: 1053 },
    ],
  } as unknown as Plan;
  const block = { zones: ['a.', 'b.'], view: '', listeners: [0] } as unknown as BlockPlan;
  assert.equal(blockName(plan, block), 'a.,b.:53');
  const other = { zones: ['.'], view: 'in', listeners: [1] } as unknown as BlockPlan;
  assert.equal(blockName(plan, other), '.:1053 on 192.0.2.1 view in');
});

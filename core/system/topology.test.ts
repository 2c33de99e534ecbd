import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempFolder } from '../../test/lib/temp-folder.js';
import { allowedCpus } from './affinity.js';
import {
  cpuListText,
  isQuota,
  orderCpus,
  parseCpuList,
  placeWorkers,
  readMachine,
  type Topology,
} from './topology.js';

/** A machine whose cores are these lists of hardware threads. */
function topology(nodes: readonly string[], cores: readonly string[]): Topology {
  const siblings = new Map<number, string>();
  for (const core of cores) for (const cpu of parseCpuList(core)) siblings.set(cpu, core);
  return { nodes, siblings };
}

/** Threads of a core have neighbouring numbers on one, numbers half the machine apart on the other. */
const twoNodes = topology(['0-1,4-5\n', '2-3,6-7\n'], ['0,4', '1,5', '2,6', '3,7']);
const neighbours = topology(['0-5'], ['0-1', '2-3', '4-5']);
const orders: { name: string; allowed: number[]; topology: Topology; want: number[] }[] = [
  {
    name: 'one thread of each core first',
    allowed: [0, 1, 2, 3, 4, 5],
    topology: neighbours,
    want: [0, 2, 4, 1, 3, 5],
  },
  {
    name: 'the first node first, with its second threads',
    allowed: [0, 1, 2, 3, 4, 5, 6, 7],
    topology: twoNodes,
    want: [0, 1, 4, 5, 2, 3, 6, 7],
  },
  {
    name: 'the first node that is allowed, nothing that is not',
    allowed: [2, 6, 7],
    topology: twoNodes,
    want: [2, 7, 6],
  },
  {
    name: 'a second thread whose first is not allowed stands for its core',
    allowed: [1, 2, 3],
    topology: neighbours,
    want: [1, 2, 3],
  },
  {
    name: 'without sysfs, by number',
    allowed: [3, 5, 8],
    topology: topology([], []),
    want: [3, 5, 8],
  },
  {
    name: 'a node without processors is passed over, a processor without a node comes last',
    allowed: [0, 1, 2],
    topology: topology(['\n', '1-2\n'], []),
    want: [1, 2, 0],
  },
];
for (const { name, allowed, topology: of, want } of orders) {
  test(`topology: ${name}`, () => assert.deepEqual(orderCpus(allowed, of), want));
}

const placements: { name: string; workers: number; hasQuota?: boolean; want: number[] }[] = [
  { name: 'one worker is free', workers: 1, want: [] },
  { name: 'two take a core each', workers: 2, want: [0, 2] },
  { name: 'as many as processors take all', workers: 6, want: [0, 2, 4, 1, 3, 5] },
  { name: 'more than processors are free', workers: 7, want: [] },
  { name: 'a few under a quota are free', workers: 2, hasQuota: true, want: [] },
  { name: 'all of them under a quota', workers: 6, hasQuota: true, want: [0, 2, 4, 1, 3, 5] },
];
for (const { name, workers, hasQuota = false, want } of placements) {
  test(`placement: ${name}`, () => {
    const machine = { allowed: [0, 1, 2, 3, 4, 5], topology: neighbours, hasQuota };
    assert.deepEqual(placeWorkers(workers, machine), want);
  });
}

test('placement: where the allowed processors are not known nobody is bound', () => {
  const machine = { allowed: [], topology: topology([], []), hasQuota: false };
  assert.deepEqual(placeWorkers(2, machine), []);
});

const lists: { text: string; want: number[]; shortest?: string }[] = [
  { text: '', want: [], shortest: '' },
  { text: '\n', want: [], shortest: '' },
  { text: '0\n', want: [0], shortest: '0' },
  { text: '0-3,8-9\n', want: [0, 1, 2, 3, 8, 9], shortest: '0-3,8-9' },
  { text: '8,2-3,3', want: [2, 3, 8], shortest: '2-3,8' },
  { text: '5-4,x,-1,7', want: [7] },
  { text: '1022-9999', want: [1022, 1023] },
];
for (const { text, want, shortest } of lists) {
  test(`topology: the list ${JSON.stringify(text)}`, () => {
    assert.deepEqual(parseCpuList(text), want);
    if (shortest !== undefined) assert.equal(cpuListText(want.toReversed()), shortest);
  });
}

for (const { text, want } of [
  { text: 'max 100000\n', want: false },
  { text: '200000 100000\n', want: true },
  { text: '-1\n', want: false },
  { text: '50000\n', want: true },
  { text: '', want: false },
]) {
  test(`topology: ${JSON.stringify(text)} is ${want ? 'a' : 'no'} quota`, () => {
    assert.equal(isQuota(text), want);
  });
}

test('topology: several memory nodes are read from sysfs, by number', (t) => {
  const sysfs = tempFolder();
  t.after(() => sysfs.remove());
  const cores = ['0,4', '1,5', '2,6', '3,7'];
  for (const core of cores) {
    for (const cpu of parseCpuList(core)) {
      const folder = `devices/system/cpu/cpu${cpu}/topology`;
      mkdirSync(join(sysfs.path, folder), { recursive: true });
      sysfs.write(`${folder}/thread_siblings_list`, `${core}\n`);
    }
  }
  // By name node10 would come before node2; a memory node without processors and a file of another name are there, too.
  for (const [node, list] of [
    [2, '2-3,6-7'],
    [10, '0-1,4-5'],
    [11, ''],
  ] as const) {
    mkdirSync(join(sysfs.path, `devices/system/node/node${node}`), { recursive: true });
    sysfs.write(`devices/system/node/node${node}/cpulist`, `${list}\n`);
  }
  sysfs.write('devices/system/node/online', '2,10-11\n');
  const allowed = [0, 1, 2, 3, 4, 5, 6, 7];
  const machine = readMachine(allowed, sysfs.path);
  assert.equal(machine.hasQuota, false);
  assert.deepEqual(placeWorkers(6, machine), [2, 3, 6, 7, 0, 1]);

  mkdirSync(join(sysfs.path, 'fs/cgroup'), { recursive: true });
  sysfs.write('fs/cgroup/cpu.max', '200000 100000\n');
  assert.deepEqual(placeWorkers(6, readMachine(allowed, sysfs.path)), []);
});

test('topology: all processors of this machine are in the order, once each', () => {
  const allowed = allowedCpus();
  const order = orderCpus(allowed, readMachine(allowed).topology);
  assert.deepEqual(
    order.sort((a, b) => a - b),
    allowed,
  );
});

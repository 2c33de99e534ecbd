import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../test/lib/ports.js';
import type { ListenerPlan } from '../chain/plan.js';
import { closeFd, openTcp } from '../system/open.js';
import { canShareSockets, openSockets, type ProcessSockets } from './sockets.js';

const need = canShareSockets() ? {} : { skip: 'needs system calls' };

function listener(address: string, port: number): ListenerPlan {
  return { scheme: 'dns', address, port, text: '', routes: [] };
}

function open(t: TestContext, listeners: readonly ListenerPlan[], workers: number): ProcessSockets {
  const sockets = openSockets(listeners, workers);
  t.after(() => sockets.close());
  return sockets;
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

test('sockets: each worker has its own for UDP and a duplicate for TCP', need, async (t) => {
  const sockets = open(t, [listener('127.0.0.1', await freePort())], 2);
  const [one, two] = [sockets.forWorker(0), sockets.forWorker(1)];
  const all = [one, two].flatMap(({ udp, tcp }) => [...udp, ...tcp].map(({ fd }) => fd as number));
  assert.equal(new Set(all).size, 4);
  // A worker that is replaced finds the socket in which its queries wait.
  const again = sockets.forWorker(0);
  assert.equal(again.udp[0]?.fd, one.udp[0]?.fd);
  assert.notEqual(again.tcp[0]?.fd, one.tcp[0]?.fd);
  for (const { tcp } of [one, two, again]) for (const { fd } of tcp) closeFd(fd as number);
});

test(
  'sockets: every address of the machine has one, but for those another listener names',
  need,
  async (t) => {
    const port = await freePort();
    const sockets = open(t, [listener('', port), listener('127.0.0.1', port)], 1);
    const { udp, tcp } = sockets.forWorker(0);
    for (const { fd } of tcp) closeFd(fd as number);
    const addresses = udp.map(({ listener: index, endpoint }) => `${index} ${endpoint.address}`);
    assert.ok(addresses.includes('0 0.0.0.0'));
    assert.ok(addresses.includes('1 127.0.0.1'));
    assert.ok(!addresses.includes('0 127.0.0.1'));
    assert.ok(tcp.some(({ endpoint }) => endpoint.address === '0.0.0.0'));
  },
);

test('sockets: every port of a listener on all addresses can be steered', need, async (t) => {
  const listeners = [listener('', await freePort())];
  const plain = openSockets(listeners, 2);
  assert.equal(plain.isSteered, false);
  plain.close();
  const steered = openSockets(listeners, 2, [0, 1]);
  t.after(() => steered.close());
  assert.equal(steered.isSteered, true);
});

test('sockets: when one cannot be had none stays open', need, async (t) => {
  const [port, taken] = [await freePort(), await freePort()];
  const other = openTcp({ address: '127.0.0.1', port: taken }, 1);
  t.after(() => closeFd(other));
  const before = openDescriptors();
  assert.throws(
    () => openSockets([listener('127.0.0.1', port), listener('127.0.0.1', taken)], 2),
    new RegExp(`^Error: cannot listen on 127\\.0\\.0\\.1:${taken}/tcp: .*EADDRINUSE`),
  );
  assert.equal(openDescriptors(), before);
});

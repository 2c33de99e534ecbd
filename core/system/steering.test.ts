import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { addressBytes } from './address.js';
import { allowedCpus, pinThread } from './affinity.js';
import { isBatchedIo } from './layer.js';
import { requireLibc } from './libc.js';
import { MSG_DONTWAIT, SOCK_DGRAM } from './linux.js';
import { closeFd, localPortOf, makeSocket, openUdp } from './open.js';
import { steerByCpu } from './steering.js';

const LOOPBACK = '127.0.0.1';
const SENDERS = 40;
const ATTEMPTS = 200;

const cpus = allowedCpus();
const skip = !isBatchedIo() ? 'no system calls here' : cpus.length < 2 ? 'needs two CPUs' : false;

/** Two sockets on one port, in the order in which they were bound. */
function openPair(t: TestContext): { readonly fds: readonly number[]; readonly port: number } {
  const fds: number[] = [];
  t.after(() => fds.forEach(closeFd));
  fds.push(openUdp({ address: LOOPBACK, port: 0 }, { reusePort: true }));
  const port = localPortOf(fds[0] as number);
  fds.push(openUdp({ address: LOOPBACK, port }, { reusePort: true }));
  return { fds, port };
}

/** Sends from many ports while on `cpu`; how many datagrams each socket got. */
async function countsFrom(cpu: number, fds: readonly number[], port: number): Promise<number[]> {
  const libc = requireLibc();
  const to = addressBytes({ address: LOOPBACK, port });
  assert.ok(pinThread(cpu));
  try {
    for (let i = 0; i < SENDERS; i++) {
      const sender = makeSocket(4, SOCK_DGRAM);
      assert.equal(libc.sendto(sender, new Uint8Array(1), 1, 0, to, to.length), 1);
      libc.close(sender);
    }
  } finally {
    pinThread(...cpus);
  }
  const counts = fds.map(() => 0);
  const bytes = new Uint8Array(1);
  for (let i = 0; i < ATTEMPTS && counts.reduce((a, b) => a + b) < SENDERS; i++) {
    for (const [socket, fd] of fds.entries()) {
      while (libc.recv(fd, bytes, 1, MSG_DONTWAIT) === 1) (counts[socket] as number)++;
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return counts;
}

test('steering: the socket of the sending processor gets everything', { skip }, async (t) => {
  const [a, b] = cpus as [number, number];
  const { fds, port } = openPair(t);
  // Not in the order of their numbers.
  assert.ok(steerByCpu(fds[1] as number, [b, a]));
  assert.deepEqual(await countsFrom(a, fds, port), [0, SENDERS]);
  assert.deepEqual(await countsFrom(b, fds, port), [SENDERS, 0]);
});

test('steering: what arrives on any other processor goes by the hash', { skip }, async (t) => {
  const [a, b] = cpus as [number, number];
  const { fds, port } = openPair(t);
  assert.ok(steerByCpu(fds[0] as number, [-1, b]));
  assert.deepEqual(await countsFrom(b, fds, port), [0, SENDERS]);
  const [first, second] = (await countsFrom(a, fds, port)) as [number, number];
  assert.ok(first > 0 && second > 0, `${first} and ${second}`);
});

test('steering: a socket that shares no port is left as it is', { skip }, (t) => {
  const fd = openUdp({ address: LOOPBACK, port: 0 });
  t.after(() => closeFd(fd));
  assert.equal(steerByCpu(fd, [0]), false);
});

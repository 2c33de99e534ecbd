import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { allowedCpus, pinThread } from './affinity.js';
import { isBatchedIo } from './layer.js';
import { requireLibc } from './libc.js';
import { AF_UNIX, SOCK_DGRAM, SOCK_NONBLOCK } from './linux.js';
import { notifySystem } from './notify.js';

const skip = isBatchedIo() ? false : 'no system calls here';

test('the state reaches an abstract socket', { skip }, (t) => {
  const libc = requireLibc();
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  t.after(() => libc.close(fd));
  const name = `heimdall-notify-${process.pid}`;
  const address = Uint8Array.from([AF_UNIX, 0, 0, ...Buffer.from(name)]);
  assert.equal(libc.bind(fd, address, address.length), 0);
  assert.equal(notifySystem('READY=1', `@${name}`), true);
  assert.equal(notifySystem('STOPPING=1', `@${name}`), true);
  const bytes = Buffer.alloc(64);
  assert.equal(libc.recv(fd, bytes, bytes.length, 0), 7);
  assert.equal(bytes.toString('latin1', 0, 7), 'READY=1');
  assert.equal(libc.recv(fd, bytes, bytes.length, 0), 10);
});

const nowhere = [undefined, '', '/nonexistent/notify', 'vsock:2:1234', `@${'x'.repeat(108)}`];
for (const path of nowhere) {
  test(`nothing is sent and nothing thrown for NOTIFY_SOCKET=${path?.slice(0, 20)}`, () => {
    assert.equal(
      path === undefined ? notifySystem('READY=1') : notifySystem('READY=1', path),
      false,
    );
  });
}

test('a pinned thread runs on its processor alone', { skip }, (t) => {
  const before = allowedCpus();
  t.after(() => {
    const mask = new Uint8Array(128);
    for (const cpu of before) mask[cpu >> 3] = (mask[cpu >> 3] as number) | (1 << (cpu & 7));
    requireLibc().sched_setaffinity(0, 128, mask);
  });
  const cpu = before.at(-1) as number;
  assert.equal(pinThread(cpu), true);
  assert.deepEqual(allowedCpus(), [cpu]);
  assert.match(
    readFileSync('/proc/thread-self/status', 'utf8'),
    new RegExp(`Cpus_allowed_list:\\s+${cpu}\n`),
  );
});

test('a processor that does not exist is refused', { skip }, () => {
  assert.equal(pinThread(1023), false);
  assert.equal(pinThread(5000), false);
  assert.equal(pinThread(-1), false);
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { isBatchedIo } from './layer.js';
import {
  checkUdpFree,
  closeFd,
  dupFd,
  endpointsOf,
  localAddresses,
  localPortOf,
  openTcp,
  openUdp,
} from './open.js';

const skip = isBatchedIo() ? false : 'no system calls here';
const LOOPBACK = { address: '127.0.0.1', port: 0 };

test('ports can be shared only by those who all ask for it', { skip }, (t) => {
  const open = (port: number, reusePort: boolean) => {
    const fd = openUdp({ ...LOOPBACK, port }, { reusePort });
    t.after(() => closeFd(fd));
    return fd;
  };
  const port = localPortOf(open(0, true));
  assert.equal(localPortOf(open(port, true)), port);
  const wanted = {
    code: 'EADDRINUSE',
    message: `cannot listen on 127.0.0.1:${port}/udp: address already in use (EADDRINUSE)`,
  };
  assert.throws(() => open(port, false), wanted);
  assert.throws(() => checkUdpFree({ ...LOOPBACK, port }), wanted);
});

test('a free port is found free and stays so', { skip }, () => {
  const fd = openUdp(LOOPBACK);
  const endpoint = { ...LOOPBACK, port: localPortOf(fd) };
  closeFd(fd);
  checkUdpFree(endpoint);
  closeFd(openUdp(endpoint));
});

const refused = [
  {
    endpoint: { address: '192.0.2.1', port: 53 },
    message: 'cannot listen on 192.0.2.1:53/udp: address not available (EADDRNOTAVAIL)',
  },
  {
    endpoint: { address: '2001:db8::1', port: 53 },
    message: 'cannot listen on [2001:db8::1]:53/udp: address not available (EADDRNOTAVAIL)',
  },
  {
    endpoint: { address: 'localhost', port: 53 },
    message: '"localhost" is not an IP address',
  },
  {
    endpoint: { address: 'fe80::1%nowhere', port: 53 },
    message: 'zone "nowhere" of "fe80::1%nowhere" is not a number, want %N',
  },
];
for (const { endpoint, message } of refused) {
  test(`listening on ${endpoint.address} fails: ${message}`, { skip }, () => {
    assert.throws(() => openUdp(endpoint), { message });
  });
}

test('a TCP socket accepts connections in a server it is handed to', { skip }, async (t) => {
  const fd = openTcp(LOOPBACK, 128);
  t.after(() => closeFd(fd));
  assert.throws(() => openTcp({ ...LOOPBACK, port: localPortOf(fd) }, 128), {
    code: 'EADDRINUSE',
    message: `cannot listen on 127.0.0.1:${localPortOf(fd)}/tcp: address already in use (EADDRINUSE)`,
  });
  for (let generation = 0; generation < 2; generation++) {
    const server = createServer((connection) => connection.end('welcome'));
    server.listen({ fd: dupFd(fd) });
    const client = connect(localPortOf(fd), '127.0.0.1');
    const [bytes] = (await once(client, 'data')) as [Buffer];
    assert.equal(bytes.toString(), 'welcome');
    client.destroy();
    server.close();
    await once(server, 'close');
  }
});

test('a wildcard is opened first, then every local address of its family', () => {
  const four = endpointsOf({ address: '0.0.0.0', port: 53 });
  assert.deepEqual(four[0], { address: '0.0.0.0', port: 53 });
  assert.ok(four.some((e) => e.address === '127.0.0.1'));
  assert.ok(four.every((e) => !e.address.includes(':') && e.port === 53));
  const six = endpointsOf({ address: '::', port: 53 });
  assert.deepEqual(six[0], { address: '::', port: 53 });
  assert.ok(six.every((e) => e.address.includes(':') && !e.address.includes('%')));
});

test('any other address is opened alone', () => {
  const endpoint = { address: '127.0.0.1', port: 53 };
  assert.deepEqual(endpointsOf(endpoint), [endpoint]);
});

test('local addresses are listed once, IPv4 first', () => {
  const addresses = localAddresses();
  assert.ok(addresses.includes('127.0.0.1'));
  assert.equal(new Set(addresses).size, addresses.length);
  const firstSix = addresses.findIndex((a) => a.includes(':'));
  if (firstSix >= 0) assert.ok(addresses.slice(firstSix).every((a) => a.includes(':')));
});

test('all sockets of a wildcard listener can be opened together', { skip }, (t) => {
  const any = openUdp({ address: '0.0.0.0', port: 0 }, { reusePort: true });
  t.after(() => closeFd(any));
  const port = localPortOf(any);
  for (const endpoint of endpointsOf({ address: '0.0.0.0', port }).slice(1)) {
    const fd = openUdp(endpoint, { reusePort: true });
    t.after(() => closeFd(fd));
    assert.equal(localPortOf(fd), port);
  }
});

// Random and mutated messages against the running server, over UDP and TCP: it goes on answering, does not grow, and logs no cause twice.
// HOSTILE_PACKETS sets how many over UDP (a tenth of it over TCP); HOSTILE_SEED repeats a run.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import { FakeUpstream } from '../../core/testing.js';
import { ask, queryBytes } from '../lib/client.js';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';

const PACKETS = Number(process.env.HOSTILE_PACKETS ?? 40_000);
const SEED = Number(process.env.HOSTILE_SEED ?? Date.now() % 0x7fffffff);
/** Sent between two looks at whether the server keeps up. */
const BURST = 200;
/** What the second half may take beyond the first: pools and caches that fill up and the collector's laziness, but no leak. */
const MAX_GROWTH_MB = 40;

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** Well-formed queries that the mutations start from. */
const TEMPLATES = [
  queryBytes('www.example.org', 'A'),
  queryBytes('example.org', 'MX', { udpSize: 4096, do: true }),
  queryBytes(`${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.example.org`, 'TXT'),
  queryBytes('example.org', 'TYPE65280', { udpSize: 512 }),
];

function hostile(random: () => number): Buffer {
  const kind = random() % 4;
  if (kind === 0) return Buffer.from(Array.from({ length: random() % 600 }, () => random() & 255));
  const template = TEMPLATES[random() % TEMPLATES.length] as Buffer;
  const wire = Buffer.from(template);
  const flips = 1 + (random() % 6);
  for (let i = 0; i < flips; i++) wire[random() % wire.length] = random() & 255;
  if (kind === 1) return wire;
  if (kind === 2) return wire.subarray(0, random() % wire.length);
  return Buffer.concat([
    wire,
    Buffer.from(Array.from({ length: random() % 80 }, () => random() & 255)),
  ]);
}

function rssMb(pid: number): number {
  return (Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096) / 1e6;
}

async function overUdp(port: number, count: number, random: () => number): Promise<void> {
  const socket = createSocket('udp4');
  socket.on('message', () => {});
  for (let sent = 0; sent < count; sent += BURST) {
    for (let i = 0; i < BURST; i++) socket.send(hostile(random), port, '127.0.0.1');
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.close();
}

async function overTcp(port: number, count: number, random: () => number): Promise<void> {
  for (let sent = 0; sent < count; sent += BURST) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    const closed = once(socket, 'close').catch(() => {});
    for (let i = 0; i < BURST; i++) {
      const wire = hostile(random);
      // One in sixteen lies about its length, after which the stream is noise.
      const length = random() % 16 === 0 ? random() & 0xffff : wire.length;
      socket.write(Buffer.concat([Buffer.from([length >> 8, length & 255]), wire]));
    }
    socket.end();
    const limit = setTimeout(() => socket.destroy(), 5000);
    await closed;
    clearTimeout(limit);
  }
}

test(`hostile packets: ${PACKETS} over UDP, ${PACKETS / 10} over TCP, seed ${SEED}`, async (t) => {
  const upstream = await FakeUpstream.start((query) => ({
    answers: (query.questions ?? []).map(({ name }) => ({
      name,
      type: 'A',
      data: '192.0.2.1',
      ttl: 60,
    })),
  }));
  t.after(() => upstream.stop());
  const port = await freePort();
  const server = await startHeimdall(
    `.:${port} {
  bind 127.0.0.1
  errors
  cache
  dedupe
  forward . ${upstream.address}
}
`,
    { args: ['-workers', '1'] },
  );
  t.after(() => server.stop());
  const random = randomFrom(SEED);
  await overUdp(port, PACKETS / 2, random);
  await overTcp(port, PACKETS / 20, random);
  const before = rssMb(server.pid);
  await overUdp(port, PACKETS / 2, random);
  await overTcp(port, PACKETS / 20, random);
  const after = rssMb(server.pid);

  const reply = await ask(port, 'still.example.org', 'A');
  assert.equal(reply.rcode, 'NOERROR');
  assert.equal((await ask(port, 'still.example.org', 'A', { tcp: true })).rcode, 'NOERROR');
  t.diagnostic(`RSS ${before.toFixed(0)} MB after half, ${after.toFixed(0)} MB at the end`);
  assert.ok(after - before < MAX_GROWTH_MB, `grew from ${before} to ${after} MB`);
  assert.doesNotMatch(
    server.stdout + server.stderr,
    /fault in plugin|worker \d+ (died|ended|exited)/,
  );
  const causes = (server.stdout + server.stderr)
    .split('\n')
    .filter((line) => line.includes('[ERROR]'));
  assert.equal(new Set(causes).size, causes.length, `logged more than once:\n${causes.join('\n')}`);
});

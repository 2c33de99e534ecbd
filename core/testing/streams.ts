// Raw TCP and TLS servers for tests, and a stream pool that talks to one.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { createServer as createTlsServer, TLSSocket, type TlsOptions } from 'node:tls';
import { createSocketLayer } from '../system/layer.js';
import { type Exchange, Failure } from '../upstream/exchange.js';
import { StreamPool, type StreamPoolOptions } from '../upstream/stream-pool.js';
import { FakeClock, FakeTimers } from './clock.js';
import { type Outcome, TestOwner } from './exchanges.js';
import { FakeMetrics } from './services.js';

/** Gets each whole query; `connection` is the number of the connection it came on. */
export type StreamAnswer = (query: Buffer, socket: Socket, connection: number) => void;

export interface StreamServer {
  readonly port: number;
  readonly sockets: Socket[];
  /** Connection number of each query, in order. */
  readonly arrivals: number[];
  /** Whether each connection resumed a TLS session. */
  readonly resumed: boolean[];
}

export async function serveStreams(
  t: TestContext,
  answer: StreamAnswer,
  tls?: TlsOptions,
): Promise<StreamServer> {
  const server: Server = tls === undefined ? createServer() : createTlsServer(tls);
  const sockets: Socket[] = [];
  const arrivals: number[] = [];
  const resumed: boolean[] = [];
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    const connection = sockets.push(socket) - 1;
    resumed.push(socket instanceof TLSSocket && socket.isSessionReused());
    let buffered = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
        const end = 2 + buffered.readUInt16BE(0);
        arrivals.push(connection);
        answer(Buffer.from(buffered.subarray(2, end)), socket, connection);
        buffered = buffered.subarray(end);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets, arrivals, resumed };
}

export interface StreamRig {
  readonly owner: TestOwner;
  readonly pool: StreamPool;
  readonly clock: FakeClock;
  readonly timers: FakeTimers;
  readonly metrics: FakeMetrics;
  readonly errors: string[];
  ask(name: string, hasOpt?: boolean): Promise<Outcome>;
  send(name: string, hasOpt?: boolean): Exchange;
}

export function streamRig(
  t: TestContext,
  port: number,
  options: Partial<StreamPoolOptions> = {},
): StreamRig {
  const layer = createSocketLayer();
  const clock = new FakeClock();
  const timers = new FakeTimers(clock);
  const metrics = new FakeMetrics();
  const owner = new TestOwner();
  const errors: string[] = [];
  const pool = new StreamPool({
    remote: { address: '127.0.0.1', port },
    local: undefined,
    tls: undefined,
    sockets: layer,
    timers,
    clock,
    exchanges: owner.pool,
    counters: {
      hits: metrics.counter('hits', ''),
      misses: metrics.counter('misses', ''),
      mismatched: metrics.counter('mismatched', ''),
      unexpected: metrics.counter('unexpected', ''),
      open: metrics.gauge('open', ''),
      ahead: metrics.counter('ahead', ''),
    },
    expireMs: 10_000,
    maxExpireMs: 120_000,
    keepsWarm: false,
    maxAgeMs: 0,
    maxIdle: 0,
    onError: (error) => errors.push(error.message),
    ...options,
  });
  layer.start();
  t.after(async () => {
    pool.close();
    await layer.stop();
  });
  const send = (name: string, hasOpt = false): Exchange => {
    const x = owner.make(name, hasOpt);
    x.sentMs = clock.nowMs;
    assert.equal(pool.send(x), Failure.NONE);
    return x;
  };
  const ask = (name: string, hasOpt = false): Promise<Outcome> => owner.outcome(send(name, hasOpt));
  return { owner, pool, clock, timers, metrics, errors, ask, send };
}

export function frame(message: Buffer): Buffer {
  const framed = Buffer.alloc(2 + message.length);
  framed.writeUInt16BE(message.length);
  message.copy(framed, 2);
  return framed;
}

export function streamReply(query: Buffer, rcode = 0): Buffer {
  const reply = Buffer.from(query);
  reply[2] = (reply[2] as number) | 0x80;
  reply[3] = rcode;
  return frame(reply);
}

export const answerStream: StreamAnswer = (query, socket) => socket.write(streamReply(query));

export function rcodeOf(outcome: Outcome): number {
  assert.ok(outcome instanceof Buffer, `failure ${String(outcome)}`);
  return (outcome[3] as number) & 15;
}

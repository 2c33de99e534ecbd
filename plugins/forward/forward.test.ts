// *forward* between a client and real upstreams on loopback: what the upstream sees, what the client gets, how often.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import type { DecodedPacket } from 'dns-packet';
import { type Handler, type Next, SOCKETS, TIMERS, Transport } from '../../core/plugin.js';
import {
  ask,
  createSocketLayer,
  type DecodedReply,
  FakeClock,
  FakeTimers,
  FakeUpstream,
  fakeServices,
  makeQuery,
  parseDirective,
  type QueryOptions,
  type Script,
} from '../../core/testing.js';
import forward from './setup.js';

interface Rig {
  readonly clock: FakeClock;
  readonly timers: FakeTimers;
  readonly services: ReturnType<typeof fakeServices>;
  readonly handler: Handler;
  ask(name: string, type?: string, options?: QueryOptions, next?: Next): Promise<DecodedReply>;
}

interface RigOptions {
  readonly force?: 'mmsg' | 'dgram';
  readonly plugins?: readonly string[];
}

/** A *forward* as a Corefile line makes it, on a clock that stands still. */
async function rig(t: TestContext, text: string, options: RigOptions = {}): Promise<Rig> {
  const clock = new FakeClock();
  const timers = new FakeTimers(clock);
  const layer = createSocketLayer(options.force === undefined ? {} : { force: options.force });
  const services = fakeServices({
    clock,
    block: { plugins: options.plugins ?? [] },
    tokens: [
      [SOCKETS, layer],
      [TIMERS, timers],
    ],
  });
  const [config] = parseDirective(forward, text);
  assert.ok(config !== undefined && forward.setup !== undefined);
  const handler = forward.setup(config, services);
  await handler.onStart?.();
  layer.start();
  t.after(async () => {
    await handler.onStop?.();
    await layer.stop();
  });
  return {
    clock,
    timers,
    services,
    handler,
    ask: (name, type = 'A', query = {}, next) => ask(handler, makeQuery(name, type, query), next),
  };
}

async function upstream(t: TestContext, script: Script): Promise<FakeUpstream> {
  const started = await FakeUpstream.start(script);
  t.after(() => started.stop());
  return started;
}

const answering: Script = (query) => ({
  answers: [{ name: nameOf(query), type: 'A', ttl: 60, data: '192.0.2.1' }],
});

function nameOf(query: DecodedPacket): string {
  return query.questions?.[0]?.name ?? '';
}

for (const force of ['mmsg', 'dgram'] as const) {
  test(`forward: ${force}: a query over UDP is answered by the upstream`, async (t) => {
    const server = await upstream(t, answering);
    const r = await rig(t, `forward . ${server.address}`, { force });
    const reply = await r.ask('www.example.org');
    assert.equal(reply.rcode, 'NOERROR');
    assert.equal((reply.answers?.[0] as { data: string }).data, '192.0.2.1');
    assert.deepEqual(
      server.queries.map(({ transport, name }) => [transport, name]),
      [['udp', 'www.example.org']],
    );
  });
}

test('forward: TCP', async (t) => {
  const server = await upstream(t, answering);
  const r = await rig(t, `forward . ${server.address}`);
  const reply = await r.ask('www.example.org', 'A', { transport: Transport.TCP });
  assert.equal(reply.rcode, 'NOERROR');
});

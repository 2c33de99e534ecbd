// A *forward* as a Corefile line makes it, asked without a server in front, and real upstreams for it.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { DecodedPacket } from 'dns-packet';
import {
  type Answer,
  type Handler,
  type Next,
  type Query,
  SOCKETS,
  TIMERS,
} from '../../core/plugin.js';
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
import forward from '../../plugins/forward/setup.js';

export interface ForwardRig {
  readonly clock: FakeClock;
  readonly timers: FakeTimers;
  readonly services: ReturnType<typeof fakeServices>;
  readonly handler: Handler;
  /** Asks for `name` and gives what the client gets. */
  ask(name: string, type?: string, options?: QueryOptions, next?: Next): Promise<DecodedReply>;
}

export interface ForwardRigOptions {
  readonly force?: 'mmsg' | 'dgram';
  /** Plugins of the block; the first is the one behind this *forward* (queries here have no chain). */
  readonly plugins?: readonly string[];
  readonly worker?: number;
  readonly workers?: number;
  /** What the control part gave to another rig, to share health with it. */
  readonly published?: unknown;
  readonly clock?: FakeClock;
}

/** What the control part of these lines publishes. */
export function publishForward(text: string, workers: number): unknown {
  const [config] = parseDirective(forward, text);
  assert.ok(config !== undefined && forward.control !== undefined);
  // No machine has what examples have as upstreams but by chance; a listener on every address would take that for its own.
  const services = fakeServices({ workers, servers: ['dns://127.0.0.1:1'] });
  return forward.control(config, services).published;
}

/** Time stands still but for `clock.advance`. */
export async function forwardRig(
  t: TestContext,
  text: string,
  options: ForwardRigOptions = {},
): Promise<ForwardRig> {
  const clock = options.clock ?? new FakeClock();
  const timers = new FakeTimers(clock);
  const layer = createSocketLayer(options.force === undefined ? {} : { force: options.force });
  const services = fakeServices({
    clock,
    block: { plugins: options.plugins ?? [] },
    worker: options.worker ?? 0,
    workers: options.workers ?? 1,
    published: options.published,
    tokens: [
      [SOCKETS, layer],
      [TIMERS, timers],
    ],
  });
  const [config] = parseDirective(forward, text);
  assert.ok(config !== undefined && forward.setup !== undefined);
  const handler = forward.setup(config, services);
  t.after(async () => {
    await handler.onStop?.();
    await layer.stop();
    assert.equal(timers.size, 0, 'a timer is left');
  });
  await handler.onStart?.();
  layer.start();
  return {
    clock,
    timers,
    services,
    handler,
    ask: (name, type = 'A', query = {}, next) => ask(handler, makeQuery(name, type, query), next),
  };
}

/** A real server on loopback that is stopped with the test. */
export async function upstreamFor(t: TestContext, script: Script): Promise<FakeUpstream> {
  const upstream = await FakeUpstream.start(script);
  t.after(() => upstream.stop());
  return upstream;
}

/** An address on which nothing listens, UDP or TCP. */
export async function closedAddress(): Promise<string> {
  const upstream = await FakeUpstream.start(() => undefined);
  const { address } = upstream;
  await upstream.stop();
  return address;
}

/** Answers every A question, with an address whose last octet is `octet`. */
export function answering(octet = 1): Script {
  return (query) => ({
    answers: [{ name: questionName(query), type: 'A', ttl: 60, data: `192.0.2.${octet}` }],
  });
}

/** Replies with an rcode and no records. */
export function refusing(rcode: number): Script {
  return (query) => ({ flags: rcode, questions: query.questions ?? [] });
}

export function questionName(query: DecodedPacket): string {
  return query.questions?.[0]?.name ?? '';
}

/** The last octet of the first answer's address, 0 without an answer. */
export function octetOf(reply: DecodedReply): number {
  const answer = reply.answers?.[0];
  return answer?.type === 'A' ? Number(answer.data.split('.')[3]) : 0;
}

/** Waits until something is true that real sockets bring about. */
export async function until(isTrue: () => boolean, what = 'it never came about'): Promise<void> {
  for (let i = 0; i < 5000 && !isTrue(); i++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.ok(isTrue(), what);
}

/** The rest of a chain that answers with this rcode. */
export function nextRcode(rcode: number): (q: Query) => Answer {
  return (q) => q.replyRcode(rcode);
}

/** A reply that never comes must not hang the run. */
export const LIMIT = { timeout: 30_000 };

/** What a client sends that wants extended errors. */
export const WITH_EDE = { udpSize: 1232 };

/** Queries of clients, without probes. */
export function asked(upstream: { queries: readonly { name: string }[] }): readonly string[] {
  return upstream.queries.map(({ name }) => name).filter((name) => name !== '.');
}

/** The extended error of a decoded reply (RFC 8914), -1 without one. */
export function edeOf(reply: { readonly additionals?: readonly unknown[] | undefined }): number {
  const opt = (reply.additionals ?? [])[0] as {
    options: readonly { code: number; data: Buffer }[];
  };
  return opt.options.find(({ code }) => code === 15)?.data.readUInt16BE(0) ?? -1;
}

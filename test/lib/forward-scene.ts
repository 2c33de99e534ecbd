// A *forward* and upstreams on loopback that are slow, lose messages or fail as a test wants, in time that only the test moves.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import {
  type DecodedReply,
  FakeClock,
  FakeTimers,
  FakeUpstream,
  type Script,
} from '../../core/testing.js';
import { answering, type ForwardRig, forwardRig, questionName } from './forward-rig.js';

/** How long real sockets get to bring about what they have to. */
const PATIENCE_MS = 10_000;

/** One upstream and how it behaves at the moment; set what should change. */
export class Scripted {
  /** From a query to its reply. */
  delayMs = 0;
  /** Whether the query with this number, from 0, is lost. */
  loses: (n: number) => boolean = () => false;
  script: Script;
  /** What reached it and what it replied, probes not counted. */
  asked = 0;
  replied = 0;
  readonly server: FakeUpstream;

  private constructor(server: FakeUpstream, octet: number) {
    this.server = server;
    this.script = answering(octet);
  }

  /** Answers with an address that ends in `octet`. */
  static async start(t: TestContext, clock: FakeClock, octet: number): Promise<Scripted> {
    const timers = new FakeTimers(clock);
    const server = await FakeUpstream.start(() => undefined);
    t.after(() => server.stop());
    const upstream = new Scripted(server, octet);
    server.script = async (query, transport, raw) => {
      const isProbe = questionName(query) === '.';
      const isLost = upstream.loses(isProbe ? -1 : upstream.asked);
      if (!isProbe) upstream.asked++;
      if (isLost) return undefined;
      const said = upstream.script(query, transport, Buffer.from(raw));
      if (upstream.delayMs > 0) {
        await new Promise<void>((resolve) => {
          timers.start(upstream.delayMs, () => resolve(), 0);
        });
      }
      if (said === undefined) return undefined;
      if (!isProbe) upstream.replied++;
      return said as Uint8Array;
    };
    return upstream;
  }

  /** Nothing gets through any more, probes neither. */
  die(): void {
    this.loses = () => true;
  }

  revive(): void {
    this.loses = () => false;
  }
}

/** A query of a client: when it was asked, how long that took, and what came of it. */
export interface Asked {
  readonly atMs: number;
  tookMs: number | undefined;
  reply: DecodedReply | undefined;
}

export class Scene {
  readonly clock: FakeClock;
  readonly rig: ForwardRig;
  readonly upstreams: readonly Scripted[];
  readonly queries: Asked[] = [];

  private constructor(clock: FakeClock, rig: ForwardRig, upstreams: readonly Scripted[]) {
    this.clock = clock;
    this.rig = rig;
    this.upstreams = upstreams;
  }

  /** `count` upstreams, the octets of their answers 1, 2, ..., and a *forward* to them with these properties. */
  static async start(t: TestContext, count: number, properties = ''): Promise<Scene> {
    const clock = new FakeClock();
    const upstreams = await Promise.all(
      Array.from({ length: count }, (_, i) => Scripted.start(t, clock, i + 1)),
    );
    const to = upstreams.map(({ server }) => server.address).join(' ');
    const rig = await forwardRig(t, `forward . ${to} {\n${properties}\n}`, { clock });
    return new Scene(clock, rig, upstreams);
  }

  /** Asks for a new name; gives what becomes of it. */
  ask(): Asked {
    const asked: Asked = { atMs: this.clock.nowMs, tookMs: undefined, reply: undefined };
    void this.rig.ask(`n${this.queries.length}.example.org`).then((reply) => {
      asked.reply = reply;
      asked.tookMs = this.clock.nowMs - asked.atMs;
    });
    this.queries.push(asked);
    return asked;
  }

  /** Asks, and moves time on until there is a reply. */
  async askAndWait(stepMs = 10): Promise<Asked> {
    const asked = this.ask();
    await this.#quiet();
    while (asked.reply === undefined) await this.pass(stepMs);
    return asked;
  }

  /** Lets time pass in steps; what is on its way between real sockets arrives after each. */
  async pass(ms: number, stepMs = ms): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(stepMs);
      await this.#quiet();
    }
  }

  /** A query every `everyMs` for `ms`. */
  async load(ms: number, everyMs: number): Promise<readonly Asked[]> {
    const first = this.queries.length;
    for (let passed = 0; passed < ms; passed += everyMs) {
      this.ask();
      await this.#quiet();
      await this.pass(everyMs);
    }
    return this.queries.slice(first);
  }

  metric(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.rig.services.metrics.value(name, labels);
  }

  /** Until every message sent has arrived, and every reply. */
  async #quiet(): Promise<void> {
    const endMs = performance.now() + PATIENCE_MS;
    do {
      await new Promise((resolve) => setImmediate(resolve));
      if (performance.now() > endMs) assert.fail(`messages are on their way: ${this.#state()}`);
    } while (!this.#isQuiet());
    // What the last message brought about.
    await new Promise((resolve) => setImmediate(resolve));
    if (!this.#isQuiet()) await this.#quiet();
  }

  #isQuiet(): boolean {
    const [sent, arrived, replied, heard] = this.#state();
    return sent === arrived && replied === heard;
  }

  #state(): readonly [number, number, number, number] {
    const sent =
      this.metric('/proxy_conn_cache_hits_total') + this.metric('/proxy_conn_cache_misses_total');
    const arrived = this.upstreams.reduce((sum, { server }) => sum + server.queries.length, 0);
    const replied = this.upstreams.reduce((sum, upstream) => sum + upstream.replied, 0);
    const heard =
      this.metric('/proxy_request_duration_seconds') +
      this.metric('unexpected_replies_total') +
      this.metric('mismatched_replies_total');
    return [sent, arrived, replied, heard];
  }
}

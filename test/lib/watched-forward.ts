// A *forward* whose upstreams change: its control part and the handlers of its workers, which hear what it publishes, without threads. Time moves when the test says so.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { METRIC_SOURCE, UPSTREAM_CHANGES } from '../../core/plugin.js';
import {
  FakeClock,
  FakeUpstream,
  fakeServices,
  parseDirective,
  type Script,
} from '../../core/testing.js';
import { ForwardControl } from '../../plugins/forward/control.js';
import forward from '../../plugins/forward/setup.js';
import { type ForwardRig, forwardRig } from './forward-rig.js';

export interface WatchedForward {
  readonly clock: FakeClock;
  readonly control: ForwardControl;
  readonly services: ReturnType<typeof fakeServices>;
  /** The workers. */
  readonly rigs: readonly ForwardRig[];
  /** Addresses and ports of the upstreams of now. */
  readonly upstreams: readonly string[];
  /** How often others were told of a change. */
  readonly raised: number;
  /** Whether the control part found something wrong with the start; it goes on if not. */
  start(): Promise<void>;
  /** Moves time on and looks whether the upstreams are others. */
  after(ms: number): Promise<void>;
}

export interface WatchedForwardOptions {
  readonly workers?: number;
  /** Listeners of the process. */
  readonly servers?: readonly string[];
}

/** No address that a test would name as an upstream. */
const LISTENER = 'dns://127.0.0.1:1';

export async function watchedForward(
  t: TestContext,
  text: string,
  { workers = 1, servers = [LISTENER] }: WatchedForwardOptions = {},
): Promise<WatchedForward> {
  const clock = new FakeClock();
  const [config] = parseDirective(forward, text);
  assert.ok(config !== undefined);
  const rigs: ForwardRig[] = [];
  const fake = fakeServices({
    clock,
    servers,
    workers,
    tokens: [[METRIC_SOURCE, { families: () => [] }]],
  });
  const services = {
    ...fake,
    async publish(value: unknown) {
      await fake.publish(value);
      for (const { handler } of rigs) await handler.onPublished?.(structuredClone(value));
    },
  };
  const control = new ForwardControl(config, services);
  t.after(() => control.onStop());
  await control.onLoad();
  // Others begin to listen when they start.
  let raised = 0;
  services.get(UPSTREAM_CHANGES).listen(() => raised++);
  for (let worker = 0; worker < workers; worker++) {
    const published = structuredClone(control.published);
    rigs.push(await forwardRig(t, text, { clock, worker, workers, published }));
  }
  return {
    clock,
    control,
    services,
    rigs,
    get upstreams() {
      return control.published.targets.map(({ address, port }) => `${address} ${port}`);
    },
    get raised() {
      return raised;
    },
    async start() {
      // It looks by itself from then on, and here only the test does.
      await control.onStart().finally(() => control.onStop());
    },
    async after(ms) {
      clock.advance(ms);
      await control.look();
    },
  };
}

/** A name server that says what it is told to, by type; what it is not told of has no records. */
export class Naming {
  addresses: Readonly<Record<string, readonly string[]>> = {};
  ttl = 30;
  /** Rcodes that questions of a type are answered with instead. */
  rcodes: Readonly<Record<string, number>> = {};
  readonly server: FakeUpstream;

  private constructor(server: FakeUpstream) {
    this.server = server;
    server.script = this.#answer;
  }

  static async start(t: TestContext, ...v4: readonly string[]): Promise<Naming> {
    const server = await FakeUpstream.start(() => undefined);
    t.after(() => server.stop());
    const naming = new Naming(server);
    naming.addresses = { A: v4 };
    return naming;
  }

  /** IP:PORT. */
  get address(): string {
    return this.server.address;
  }

  /** How often the name was looked up. */
  get lookups(): number {
    return this.server.queries.filter(({ type }) => type === 'A').length;
  }

  readonly #answer: Script = (query) => {
    const { name = '', type = '' } = query.questions?.[0] ?? {};
    const rcode = this.rcodes[type];
    if (rcode !== undefined) return { flags: rcode, questions: query.questions ?? [] };
    const answers = (this.addresses[type] ?? []).map((data) => ({
      name,
      type: type as 'A',
      ttl: this.ttl,
      data,
    }));
    return { answers };
  };
}

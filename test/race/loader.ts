// The clients as a process of its own: UDP sockets and TCP connections that keep a window of questions outstanding each, and check every reply. What is truncated over UDP is
// asked again over TCP. Told by its parent what to ask, what was flushed, when the server was disturbed, and when to end.
import { fileURLToPath } from 'node:url';
import { createSocketLayer } from '../../core/system/layer.js';
import type { Batch, UdpSocket } from '../../core/system/sockets.js';
import { type Asked, Checker } from './check.js';
import type { Doubt } from './doubts.js';
import { type Draft, type QuestionOptions, Questions } from './questions.js';
import { nowMs } from './stamp.js';
import { TcpClient } from './tcp-client.js';
import type { ZoneRules } from './timing.js';

export interface LoadOptions extends QuestionOptions {
  readonly port: number;
  readonly rules: Readonly<Record<string, ZoneRules>>;
  readonly sockets: number;
  readonly connections: number;
  /** Questions outstanding on each socket and connection. */
  readonly window: number;
}

export type ToLoader =
  | { readonly start: LoadOptions }
  | { readonly flushed: string; readonly startMs: number; readonly endMs: number }
  | { readonly disturbed: { readonly startMs: number; readonly endMs: number } }
  | { readonly forget: true }
  /** Answered with the kinds so far. */
  | { readonly progress: true }
  | { readonly stop: true };

export interface LoadReport {
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  /** Replies to nothing that was outstanding: late ones. */
  readonly unexpected: number;
  readonly overTcp: number;
  /** Right replies by what they were. */
  readonly kinds: Readonly<Record<string, number>>;
  readonly mismatches: number;
  /** The first of them. */
  readonly problems: readonly string[];
  /** What is wrong unless there is a reason, with what to say then. */
  readonly doubts: readonly { readonly of: Doubt; readonly problem: string }[];
}

const BATCH = 64;
const SLOT_BYTES = 4096 + 64;
/** Longer than the server takes for anything. */
const LOST_MS = 11_000;
const MAX_PROBLEMS = 20;
/** More is no longer a matter of a busy machine. */
const MAX_DOUBTS = 50_000;
/** What is kept of the text of each. */
const DOUBT_CHARACTERS = 600;
/** Sockets are replaced now and then, so that others meet each worker. */
const SOCKET_LIFE_MS = 5000;
/** A cut reply could have been whole if it was not longer than the room by so much: OPT, and what an extended error takes. */
const SPARE_BYTES = 300;

class Load {
  readonly #options: LoadOptions;
  readonly #checker: Checker;
  readonly #questions: Questions;
  readonly #layer = createSocketLayer();
  readonly #in: Batch;
  readonly #out: Batch;
  readonly #clients = new Set<UdpClient>();
  readonly #streams: TcpClient[] = [];
  readonly #kinds = new Map<string, number>();
  readonly #problems: string[] = [];
  readonly #doubts: { of: Doubt; problem: string }[] = [];
  readonly #timer: NodeJS.Timeout;
  #mismatches = 0;
  #isStopping = false;
  sent = 0;
  received = 0;
  lost = 0;
  unexpected = 0;
  overTcp = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#checker = new Checker(new Map(Object.entries(options.rules)));
    this.#questions = new Questions(options);
    this.#in = this.#layer.createBatch(BATCH, SLOT_BYTES);
    this.#out = this.#layer.createBatch(BATCH, SLOT_BYTES);
    this.#layer.start();
    for (let i = 0; i < options.sockets; i++) this.#open();
    for (let i = 0; i < options.connections; i++) {
      this.#streams.push(new TcpClient(options.port, options.window, this));
    }
    this.#timer = setInterval(() => this.#tick(), 100);
  }

  get checker(): Checker {
    return this.#checker;
  }

  /** The next question of a client, undefined when it is to ask no more. */
  next(id: number, tcp: boolean): Asked | undefined {
    if (this.#isStopping) return undefined;
    this.sent++;
    return this.#questions.ask(this.#questions.next(), id, tcp);
  }

  again(draft: Draft, id: number): Asked {
    this.sent++;
    return this.#questions.ask(draft, id, true);
  }

  take(asked: Asked, wire: Buffer, cutAt: number): void {
    const receivedMs = nowMs();
    this.received++;
    if (asked.tcp) this.overTcp++;
    const verdict = this.#checker.check(asked, wire, receivedMs);
    this.#kinds.set(verdict.kind, (this.#kinds.get(verdict.kind) ?? 0) + 1);
    const { problem, doubt } = verdict;
    if (problem !== undefined) {
      if (doubt !== undefined && this.#doubts.length < MAX_DOUBTS) {
        this.#doubts.push({ of: doubt, problem: problem.slice(0, DOUBT_CHARACTERS) });
      } else {
        this.#complain(problem);
      }
    }
    if (
      verdict.kind === 'answer' &&
      'abeh'.includes(asked.name.kind) &&
      wire.length + SPARE_BYTES < cutAt
    ) {
      this.#complain(`${wire.length} bytes over TCP, but over UDP cut at ${cutAt}`);
    }
    if (verdict.kind === 'truncated') {
      const draft = { ...asked, udpLimit: asked.limit };
      const stream = this.#streams[this.received % this.#streams.length];
      stream?.askAgain(draft, asked.limit);
    }
  }

  report(): LoadReport {
    return {
      sent: this.sent,
      received: this.received,
      lost: this.lost,
      unexpected: this.unexpected,
      overTcp: this.overTcp,
      kinds: Object.fromEntries(this.#kinds),
      mismatches: this.#mismatches,
      problems: this.#problems,
      doubts: this.#doubts,
    };
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#timer);
    for (const client of this.#clients) client.socket.close();
    for (const stream of this.#streams) stream.close();
    await this.#layer.stop();
  }

  #complain(problem: string): void {
    this.#mismatches++;
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(problem);
  }

  #open(): void {
    const endpoint = { address: '127.0.0.1', port: this.#options.port };
    const socket = this.#layer.connect(endpoint, undefined, () => this.#receive(client));
    const client = new UdpClient(socket, this.#options.window);
    this.#clients.add(client);
    this.#fill(client);
  }

  #tick(): void {
    const now = nowMs();
    for (const client of this.#clients) {
      this.lost += client.expire(now - LOST_MS);
      if (client.isLeaving && client.outstanding.size === 0) {
        client.socket.close();
        this.#clients.delete(client);
      } else if (!client.isLeaving && now - client.bornMs > SOCKET_LIFE_MS) {
        client.isLeaving = true;
        this.#open();
      } else {
        this.#fill(client);
      }
    }
    for (const stream of this.#streams) this.lost += stream.tick(now - LOST_MS);
  }

  #receive(client: UdpClient): void {
    for (;;) {
      const count = client.socket.receive(this.#in);
      if (count <= 0) break;
      for (let i = 0; i < count; i++) {
        const slot = this.#in.data[i] as Uint8Array;
        const wire = Buffer.from(slot.subarray(0, this.#in.lengths[i]));
        const asked = client.settle(wire.readUInt16BE(0));
        if (asked === undefined) this.unexpected++;
        else this.take(asked, wire, 0);
      }
      if (count < BATCH) break;
    }
    this.#fill(client);
  }

  #fill(client: UdpClient): void {
    let count = 0;
    while (count < BATCH && !client.isLeaving && client.outstanding.size < client.window) {
      const asked = this.next(client.nextId(), false);
      if (asked === undefined) break;
      client.outstanding.set(asked.wire.readUInt16BE(0), asked);
      (this.#out.data[count] as Uint8Array).set(asked.wire);
      this.#out.lengths[count++] = asked.wire.length;
    }
    // What the kernel has no room for counts as lost in time.
    if (count > 0) client.socket.send(this.#out, 0, count);
  }
}

class UdpClient {
  readonly socket: UdpSocket;
  readonly window: number;
  readonly outstanding = new Map<number, Asked>();
  readonly bornMs = nowMs() + Math.random() * SOCKET_LIFE_MS;
  isLeaving = false;
  #id = Math.floor(Math.random() * 0x10000);

  constructor(socket: UdpSocket, window: number) {
    this.socket = socket;
    this.window = window;
  }

  nextId(): number {
    this.#id = (this.#id + 1) & 0xffff;
    return this.#id;
  }

  settle(id: number): Asked | undefined {
    const asked = this.outstanding.get(id);
    this.outstanding.delete(id);
    return asked;
  }

  /** Gives up what was sent before; how many. */
  expire(beforeMs: number): number {
    let count = 0;
    for (const [id, { sentMs }] of this.outstanding) {
      if (sentMs >= beforeMs) break;
      this.outstanding.delete(id);
      count++;
    }
    return count;
  }
}

function serve(): void {
  let load: Load | undefined;
  const timing = (): Checker['timing'] | undefined => load?.checker.timing;
  process.on('message', async (told: ToLoader) => {
    if ('start' in told) load = new Load(told.start);
    else if ('flushed' in told) timing()?.flushed(told.flushed, told.startMs, told.endMs);
    else if ('disturbed' in told) timing()?.disturbed(told.disturbed.startMs, told.disturbed.endMs);
    else if ('forget' in told) timing()?.forgetFlushes();
    else if ('progress' in told) process.send?.(load?.report().kinds);
    else {
      await load?.stop();
      // Gone before all of it is written, the report would be cut off.
      process.send?.(load?.report(), () => process.disconnect());
    }
  });
  // Its parent is gone.
  process.on('disconnect', () => process.exit(0));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serve();

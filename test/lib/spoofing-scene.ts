// A program for a network namespace of its own: an upstream, clients of a server that asks it, and somebody who forges the upstream's answers as
// fast as this host can. Prints what clients got, as JSON.
import { spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { decode, encode } from 'dns-packet';
import { FakeUpstream } from '../../core/testing.js';
import { type Flood, Forger } from './forger.js';

export const UPSTREAM = { address: '127.0.0.53', port: 5300 };

/** Where a server of this host sends from when it asks UPSTREAM. */
const VICTIM = '127.0.0.1';

/** 35 letters, 28 of them with a bit of their own. */
const NAME = 'a-name-of-letters-that-protect-it.example.org';
const TRUTH = '192.0.2.1';
const FORGED = '203.0.113.66';

/** How long the upstream takes: the time that a forger has. */
const DELAY_MS = 50;

/** Queries that clients keep under way, all for one name: without a cache, so many that a forger may hit. */
const WINDOW = 100;

/** A client gives up after this. */
const PATIENCE_MS = 15_000;

export interface SceneOptions {
  readonly port: number;
  readonly metricsPort: number;
  readonly ms: number;
  /** The forger knows which ports are in use; otherwise it guesses them as well. */
  readonly knowsPorts: boolean;
}

export interface SceneResult {
  /** Whether a forged answer is taken when the forger is told everything: it has to be, for the rest to show anything. */
  readonly isForgeable: boolean;
  readonly datagramsForged: number;
  /** Answers of clients. */
  readonly truths: number;
  readonly forgeries: number;
  readonly failures: number;
  readonly unanswered: number;
  readonly overTcp: number;
  /** The text of the server's metrics. */
  readonly metrics: string;
}

/** Puts client queries to the server, as many at once as WINDOW, and looks at what comes back. */
class Clients {
  readonly counts = { truths: 0, forgeries: 0, failures: 0, unanswered: 0 };
  readonly #socket: Socket;
  readonly #port: number;
  readonly #query = encode({
    type: 'query',
    flags: 0x100,
    questions: [{ name: NAME, type: 'A' }],
  });
  readonly #asked = new Map<number, number>();
  #next = 0;
  #isEnding = false;

  constructor(port: number) {
    this.#port = port;
    this.#socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
    this.#socket.on('message', (raw) => this.#take(raw));
  }

  begin(): void {
    for (let i = 0; i < WINDOW; i++) this.ask();
  }

  ask(): void {
    const id = this.#next++ & 0xffff;
    this.#asked.set(id, performance.now());
    this.#query.writeUInt16BE(id, 0);
    this.#socket.send(Buffer.from(this.#query), this.#port, VICTIM);
  }

  /** Waits for what is under way. */
  async end(): Promise<void> {
    this.#isEnding = true;
    const startedMs = performance.now();
    while (this.#asked.size > 0 && performance.now() - startedMs < PATIENCE_MS) await pause(20);
    this.counts.unanswered = this.#asked.size;
    this.#socket.close();
  }

  get answered(): number {
    const { truths, forgeries, failures } = this.counts;
    return truths + forgeries + failures;
  }

  #take(raw: Buffer): void {
    if (!this.#asked.delete(raw.readUInt16BE(0))) return;
    const { answers } = decode(raw);
    const data = answers?.map((answer) => (answer.type === 'A' ? answer.data : answer.type));
    if (data?.length === 1 && data[0] === TRUTH) this.counts.truths++;
    else if (data?.length === 0) this.counts.failures++;
    else this.counts.forgeries++;
    if (!this.#isEnding) this.ask();
  }
}

function forgedReply(): Buffer {
  return encode({
    type: 'response',
    flags: 0x180,
    questions: [{ name: NAME, type: 'A' }],
    answers: [{ name: NAME, type: 'A', ttl: 3600, data: FORGED }],
  });
}

/** Whether the server takes a forged answer whose maker was told port, id and case. */
async function forgesOnce(port: number): Promise<boolean> {
  const spy = createSocket('udp4');
  spy.bind(UPSTREAM.port, UPSTREAM.address);
  await once(spy, 'listening');
  const clients = new Clients(port);
  spy.once('message', (raw, from) => {
    const reply = forgedReply();
    raw.copy(reply, 12, 12, 12 + NAME.length + 2);
    const forger = new Forger(UPSTREAM, VICTIM, reply);
    forger.send(from.port, raw.readUInt16BE(0));
    forger.close();
    spy.close();
  });
  clients.ask();
  await clients.end();
  return clients.counts.forgeries === 1;
}

async function flood(flood: Flood): Promise<number> {
  const program = fileURLToPath(new URL('forger.js', import.meta.url));
  const child = spawn(process.execPath, [program, JSON.stringify(flood)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the forger ended with ${code}`);
  return Number(printed);
}

async function play({ port, metricsPort, ms, knowsPorts }: SceneOptions): Promise<SceneResult> {
  const isForgeable = await forgesOnce(port);
  const upstream = await FakeUpstream.start(
    async () => {
      await pause(DELAY_MS);
      return { answers: [{ name: NAME, type: 'A', ttl: 60, data: TRUTH }] };
    },
    UPSTREAM.address,
    UPSTREAM.port,
  );
  const clients = new Clients(port);
  clients.begin();
  while (clients.answered < 2 * WINDOW) await pause(10);
  const datagramsForged = await flood({
    source: UPSTREAM,
    victim: VICTIM,
    message: forgedReply().toString('hex'),
    ms,
    knowsPorts,
  });
  await clients.end();
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const overTcp = upstream.queries.filter(({ transport }) => transport === 'tcp').length;
  await upstream.stop();
  return { isForgeable, datagramsForged, ...clients.counts, overTcp, metrics };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (process.argv[1] === import.meta.filename) {
  console.log(JSON.stringify(await play(JSON.parse(process.argv[2] ?? '') as SceneOptions)));
  process.exit(0);
}

// Load over TCP, closed loop: every connection keeps a window of pipelined queries outstanding. A process of its own:
// `node tcp-loader.js '{"port":5300,"cpu":1,...}'` prints the result as one line of JSON.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pinThread } from '../../core/system/affinity.js';
import { DEFAULT_LOAD } from './loader.js';
import { createQuestions, type QuestionOptions, type Questions } from './questions.js';
import { LatencyHistogram } from './stats.js';

export interface TcpLoadOptions extends QuestionOptions {
  readonly address: string;
  readonly port: number;
  readonly seconds: number;
  readonly connections: number;
  /** Queries outstanding on each connection. */
  readonly window: number;
}

export interface TcpLoadResult {
  readonly seconds: number;
  readonly sent: number;
  readonly received: number;
  /** Answers to no query that was outstanding. */
  readonly unexpected: number;
  readonly perSecond: number;
  /** Answers by rcode, 0 to 15. */
  readonly rcodes: readonly number[];
  /** From the write to the read event, in microseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Processor time of the loader by the time of the run: near 1 the loader is the limit, not the server. */
  readonly busy: number;
}

export type TcpProcessLoad = Partial<TcpLoadOptions> & {
  readonly port: number;
  /** Processor the loader stays on. */
  readonly cpu?: number;
};

export const DEFAULT_TCP_LOAD: Omit<TcpLoadOptions, 'port'> = {
  ...DEFAULT_LOAD,
  connections: 50,
  window: 32,
};

const IDS = 65_536;
/** A query of the load with its length in front. */
const MAX_FRAME = 2 + 320;

/** Runs a load in a new process; rejects when that fails. */
export async function runTcpLoad(options: TcpProcessLoad): Promise<TcpLoadResult> {
  const file = fileURLToPath(import.meta.url);
  const { stdout } = await promisify(execFile)(process.execPath, [file, JSON.stringify(options)]);
  return JSON.parse(stdout) as TcpLoadResult;
}

/** Loads `options.address` for `options.seconds`; rejects when a connection fails or is closed by the server. */
export async function generateTcpLoad(options: TcpLoadOptions): Promise<TcpLoadResult> {
  const load = new TcpLoad(options);
  try {
    return await load.run();
  } finally {
    load.close();
  }
}

class TcpLoad {
  readonly #options: TcpLoadOptions;
  readonly #questions: Questions;
  readonly #connections: LoadConnection[] = [];
  readonly latency = new LatencyHistogram();
  readonly rcodes = new Float64Array(16);
  sent = 0;
  received = 0;
  unexpected = 0;
  isEnding = false;
  fail: (error: Error) => void = () => {};

  constructor(options: TcpLoadOptions) {
    this.#options = options;
    this.#questions = createQuestions(options);
  }

  async run(): Promise<TcpLoadResult> {
    const { address, port, connections, window } = this.#options;
    const sockets: Socket[] = [];
    for (let i = 0; i < connections; i++) {
      const socket = connect({ host: address, port, noDelay: true });
      this.#connections.push(new LoadConnection(this, this.#questions, socket));
      sockets.push(socket);
    }
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    const startMs = performance.now();
    const startCpu = process.cpuUsage();
    for (const connection of this.#connections) connection.send(window);
    await new Promise<void>((resolve, reject) => {
      this.fail = reject;
      setTimeout(resolve, this.#options.seconds * 1000);
    });
    this.isEnding = true;
    const seconds = (performance.now() - startMs) / 1000;
    const { user, system } = process.cpuUsage(startCpu);
    return {
      seconds,
      sent: this.sent,
      received: this.received,
      unexpected: this.unexpected,
      perSecond: this.received / seconds,
      rcodes: [...this.rcodes],
      p50: this.latency.percentile(0.5),
      p99: this.latency.percentile(0.99),
      max: Math.round(this.latency.max),
      busy: (user + system) / 1e6 / seconds,
    };
  }

  close(): void {
    for (const connection of this.#connections) connection.socket.destroy();
  }
}

class LoadConnection {
  readonly socket: Socket;
  readonly #load: TcpLoad;
  readonly #questions: Questions;
  readonly #query = new Uint8Array(MAX_FRAME);
  /** When the query with each id was sent; 0 when it is not outstanding. */
  readonly #sentMs = new Float64Array(IDS);
  #nextId = 0;
  /** An answer that is not whole yet. */
  #rest: Buffer | undefined;

  constructor(load: TcpLoad, questions: Questions, socket: Socket) {
    this.#load = load;
    this.#questions = questions;
    this.socket = socket;
    socket.on('data', this.#onData);
    socket.on('error', (error) => load.fail(error));
    socket.on('close', () => {
      if (!load.isEnding) load.fail(new Error('the server closed a connection'));
    });
  }

  /** Sends `count` queries in one write. */
  send(count: number): void {
    const out = Buffer.allocUnsafe(count * MAX_FRAME);
    const nowMs = performance.now();
    let at = 0;
    for (let i = 0; i < count; i++) {
      const id = this.#nextId;
      this.#nextId = (id + 1) % IDS;
      const length = this.#questions.next(this.#query, id);
      out[at] = length >> 8;
      out[at + 1] = length & 255;
      for (let k = 0; k < length; k++) out[at + 2 + k] = this.#query[k] as number;
      at += 2 + length;
      this.#sentMs[id] = nowMs;
    }
    this.#load.sent += count;
    this.socket.write(out.subarray(0, at));
  }

  readonly #onData = (read: Buffer): void => {
    if (this.#load.isEnding) return;
    const bytes = this.#rest === undefined ? read : Buffer.concat([this.#rest, read]);
    const nowMs = performance.now();
    let count = 0;
    let from = 0;
    while (from + 2 <= bytes.length) {
      const end = from + 2 + (((bytes[from] as number) << 8) | (bytes[from + 1] as number));
      if (end > bytes.length) break;
      if (this.#settle(bytes, from + 2, nowMs)) count++;
      from = end;
    }
    this.#rest = from === bytes.length ? undefined : bytes.subarray(from);
    if (count > 0) this.send(count);
  };

  #settle(bytes: Buffer, at: number, nowMs: number): boolean {
    const load = this.#load;
    const id = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    const sentMs = this.#sentMs[id] as number;
    if (sentMs === 0) {
      load.unexpected++;
      return false;
    }
    this.#sentMs[id] = 0;
    load.received++;
    load.latency.record((nowMs - sentMs) * 1000);
    const rcode = (bytes[at + 3] as number) & 15;
    load.rcodes[rcode] = (load.rcodes[rcode] as number) + 1;
    return true;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { cpu, ...options } = JSON.parse(process.argv[2] ?? '{}') as TcpProcessLoad;
  if (cpu !== undefined) pinThread(cpu);
  console.log(JSON.stringify(await generateTcpLoad({ ...DEFAULT_TCP_LOAD, ...options })));
}

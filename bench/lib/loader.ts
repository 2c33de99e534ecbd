// Load over UDP, closed loop (every socket keeps a window of queries outstanding) or at a rate. A tight loop that blocks its thread: run it in
// a process of its own (load-process.ts).
import { addressBytes, familyOf } from '../../core/system/address.js';
import { MmsgBatch } from '../../core/system/batch.js';
import { type Libc, requireLibc, systemError } from '../../core/system/libc.js';
import { EPOLL_CTL_ADD, EPOLL_EVENT_BYTES, EPOLLIN, SOCK_DGRAM } from '../../core/system/linux.js';
import { MmsgSocket } from '../../core/system/mmsg-socket.js';
import { localPortOf, makeSocket, setBuffers } from '../../core/system/open.js';
import { createRandom } from './draw.js';
import { createQuestions, type QuestionOptions, type Questions } from './questions.js';
import { LatencyHistogram } from './stats.js';

export interface LoadOptions extends QuestionOptions {
  readonly address: string;
  readonly port: number;
  readonly seconds: number;
  readonly sockets: number;
  /** Queries outstanding on each socket. */
  readonly window: number;
  /**
   * Queries/s of all sockets together, at random times (Poisson); 0 sends as fast as answers come. Latency then counts from the time a query was due, so
   * that a server which stalls is not spared the queries it kept from being sent.
   */
  readonly rate: number;
  /** With a rate, so many further queries are due at one instant, every `burstMs`; 0 for none. */
  readonly burst: number;
  readonly burstMs: number;
  /** Ends when so many queries were sent and are answered or lost, before `seconds` are over; 0 for no such end. */
  readonly queries: number;
  /**
   * Lets queries of one length leave in one message (UDP segmentation): the loader then costs less than the server. Such queries arrive in runs of one
   * client, which servers that group answers like: compare only loads of the same setting.
   */
  readonly isGrouping: boolean;
  /** After this long an unanswered query counts as lost and makes room for another. */
  readonly timeoutMs: number;
}

export interface LoadResult {
  readonly seconds: number;
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly perSecond: number;
  /** Answers by rcode, 0 to 15. */
  readonly rcodes: readonly number[];
  /** From the send to the receive call, in microseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export const DEFAULT_LOAD: Omit<LoadOptions, 'port'> = {
  address: '127.0.0.1',
  seconds: 3,
  sockets: 8,
  window: 32,
  rate: 0,
  burst: 0,
  burstMs: 100,
  queries: 0,
  isGrouping: false,
  timeoutMs: 500,
  kind: 'zipf',
  names: 10_000,
  exponent: 0.9,
  suffix: 'example.org',
  seed: 1,
  edns: 'none',
};

const BATCH = 64;
/** Answers are not read beyond the header. */
const SLOT_BYTES = 1472;
const IDS = 65_536;
const WAIT_MS = 1;
/** With a rate, the loader's own code is not compiled yet when it starts and falls behind: what it sends late then says nothing about the server. */
const WARM_UP_MS = 1000;

/** Loads `options.address` for `options.seconds` and returns what came of it. Blocks the thread. */
export function generateLoad(options: LoadOptions): LoadResult {
  const load = new Load(requireLibc(), options);
  try {
    return load.run();
  } finally {
    load.close();
  }
}

class LoadSocket {
  readonly socket: MmsgSocket;
  /** When the query with each id was sent; 0 when it is not outstanding. */
  readonly sentMs = new Float64Array(IDS);
  outstanding = 0;
  /** Ids count up and wrap; those before `oldestId` are settled. */
  nextId = 0;
  oldestId = 0;

  constructor(socket: MmsgSocket) {
    this.socket = socket;
  }
}

class Load {
  readonly #libc: Libc;
  readonly #options: LoadOptions;
  readonly #sockets: LoadSocket[] = [];
  readonly #questions: Questions;
  readonly #out: MmsgBatch;
  readonly #in: MmsgBatch;
  readonly #latency = new LatencyHistogram();
  readonly #rcodes = new Float64Array(16);
  readonly #epoll: number;
  readonly #events: Uint8Array;
  readonly #random: () => number;
  /** Latencies of queries before this are not counted. */
  #countFromMs = 0;
  #isWarm = false;
  /** When the queries of a batch were due. */
  readonly #times = new Float64Array(BATCH);
  /** When the next query is due, with a rate. */
  #dueMs = 0;
  /** When the next burst is due, and what is left to be sent of the last. */
  #burstMs = 0;
  #burstLeft = 0;
  #sent = 0;
  #received = 0;
  #lost = 0;

  constructor(libc: Libc, options: LoadOptions) {
    this.#libc = libc;
    this.#options = options;
    this.#questions = createQuestions(options);
    this.#random = createRandom(~options.seed);
    this.#out = new MmsgBatch(libc, BATCH, 320);
    this.#in = new MmsgBatch(libc, BATCH, SLOT_BYTES);
    this.#epoll = libc.epoll_create1(0);
    this.#events = new Uint8Array(new SharedArrayBuffer(EPOLL_EVENT_BYTES));
    for (let i = 0; i < options.sockets; i++) this.#sockets.push(this.#open());
  }

  run(): LoadResult {
    const startMs = performance.now();
    const endMs = startMs + this.#options.seconds * 1000;
    const events = this.#libc.addressOf(this.#events);
    let nowMs = startMs;
    this.#dueMs = startMs;
    this.#burstMs = startMs;
    const { rate, seconds: wantedSeconds } = this.#options;
    if (rate > 0) this.#countFromMs = startMs + Math.min(WARM_UP_MS, wantedSeconds * 250);
    while (nowMs < endMs && !this.#isDone) {
      let taken = 0;
      if (!this.#isWarm && nowMs >= this.#countFromMs) this.#forgetBacklog(nowMs);
      for (const s of this.#sockets) {
        taken += this.#receive(s);
        nowMs = performance.now();
        this.#expire(s, nowMs);
        if (rate === 0) this.#fill(s, nowMs);
        else this.#sendDue(s, rate, nowMs);
      }
      // At a rate the time of sending matters more than the processor.
      if (taken === 0 && rate === 0) this.#libc.epoll_wait(this.#epoll, events, 1, WAIT_MS);
    }
    const seconds = (nowMs - startMs) / 1000;
    return {
      seconds,
      sent: this.#sent,
      received: this.#received,
      lost: this.#lost,
      perSecond: this.#received / seconds,
      rcodes: [...this.#rcodes],
      p50: this.#latency.percentile(0.5),
      p99: this.#latency.percentile(0.99),
      p999: this.#latency.percentile(0.999),
      max: Math.round(this.#latency.max),
    };
  }

  /** The warm-up is over: what is late is so because of the loader. */
  #forgetBacklog(nowMs: number): void {
    this.#isWarm = true;
    this.#dueMs = Math.max(this.#dueMs, nowMs);
  }

  /** All that `queries` asks for is sent, and nothing of it outstanding. */
  get #isDone(): boolean {
    const { queries } = this.#options;
    if (queries === 0 || this.#sent < queries) return false;
    return this.#received + this.#lost >= this.#sent;
  }

  close(): void {
    for (const { socket } of this.#sockets) this.#libc.close(socket.fd);
    this.#libc.close(this.#epoll);
  }

  #open(): LoadSocket {
    const { address, port } = this.#options;
    const family = familyOf(address);
    const to = addressBytes({ address, port });
    const fd = makeSocket(family, SOCK_DGRAM);
    setBuffers(fd);
    if (this.#libc.connect(fd, to, to.length) < 0) {
      throw systemError(`cannot connect to ${address}`, this.#libc.errno());
    }
    const event = new Uint8Array(EPOLL_EVENT_BYTES);
    event[0] = EPOLLIN;
    this.#libc.epoll_ctl(this.#epoll, EPOLL_CTL_ADD, fd, event);
    const ignore = (): void => {};
    const owner = { onBatch: ignore, onPendingError: ignore, onPause: ignore, onClose: ignore };
    return new LoadSocket(
      new MmsgSocket(this.#libc, owner, {
        fd,
        family,
        localPort: localPortOf(fd),
        isConnected: true,
        isWildcard: false,
        onReadable: ignore,
        isGrouping: this.#options.isGrouping,
      }),
    );
  }

  /** Takes the answers of one socket; how many datagrams there were. */
  #receive(s: LoadSocket): number {
    let taken = 0;
    for (;;) {
      const count = s.socket.receive(this.#in);
      if (count <= 0) return taken;
      taken += count;
      const nowMs = performance.now();
      for (let i = 0; i < count; i++) {
        const wire = this.#in.data[i] as Uint8Array;
        const id = ((wire[0] as number) << 8) | (wire[1] as number);
        const sentMs = s.sentMs[id] as number;
        if (sentMs === 0) continue;
        s.sentMs[id] = 0;
        s.outstanding--;
        this.#received++;
        if (sentMs >= this.#countFromMs) this.#latency.record((nowMs - sentMs) * 1000);
        const rcode = (wire[3] as number) & 15;
        this.#rcodes[rcode] = (this.#rcodes[rcode] as number) + 1;
      }
      if (count < BATCH) return taken;
    }
  }

  /** Gives up what is older than the time-out. */
  #expire(s: LoadSocket, nowMs: number): void {
    for (; s.oldestId !== s.nextId; s.oldestId = (s.oldestId + 1) % IDS) {
      const sentMs = s.sentMs[s.oldestId] as number;
      if (sentMs === 0) continue;
      if (nowMs - sentMs < this.#options.timeoutMs) return;
      s.sentMs[s.oldestId] = 0;
      s.outstanding--;
      this.#lost++;
    }
  }

  /** Fills one socket's window. */
  #fill(s: LoadSocket, nowMs: number): void {
    for (;;) {
      const count = this.#allowed(s, BATCH);
      this.#times.fill(nowMs, 0, Math.max(0, count));
      if (count <= 0 || this.#send(s, count) < count) return;
    }
  }

  /** Sends what is due, as far as this socket's window allows: mostly one datagram, several at once when the last look was a while ago. */
  #sendDue(s: LoadSocket, rate: number, nowMs: number): void {
    if (this.#options.burst > 0 && nowMs >= this.#burstMs) {
      this.#burstLeft += this.#options.burst;
      this.#burstMs += this.#options.burstMs;
    }
    if (this.#burstLeft > 0) {
      const burstAt = this.#burstMs - this.#options.burstMs;
      const count = this.#allowed(s, Math.min(this.#burstLeft, BATCH));
      if (count <= 0) return;
      this.#times.fill(burstAt, 0, count);
      this.#burstLeft -= this.#send(s, count);
      return;
    }
    if (nowMs < this.#dueMs) return;
    const limit = this.#allowed(s, BATCH);
    let count = 0;
    for (; count < limit && this.#dueMs <= nowMs; count++) {
      this.#times[count] = this.#dueMs;
      this.#dueMs -= (Math.log(1 - this.#random()) / rate) * 1000;
    }
    if (count <= 0) return;
    const sent = this.#send(s, count);
    if (sent < count) this.#dueMs = this.#times[sent] as number;
  }

  /** How many of `wanted` queries the window and the limit leave room for. */
  #allowed(s: LoadSocket, wanted: number): number {
    const { window, queries } = this.#options;
    const left = queries === 0 ? wanted : queries - this.#sent;
    return Math.min(window - s.outstanding, left, wanted);
  }

  /** Sends `count` queries, a batch at most, which were due at `#times`; how many were sent. */
  #send(s: LoadSocket, count: number): number {
    for (let i = 0; i < count; i++) {
      const slot = this.#out.data[i] as Uint8Array;
      this.#out.lengths[i] = this.#questions.next(slot, (s.nextId + i) % IDS);
    }
    const sent = s.socket.send(this.#out, 0, count);
    for (let i = 0; i < sent; i++) s.sentMs[(s.nextId + i) % IDS] = this.#times[i] as number;
    s.nextId = (s.nextId + sent) % IDS;
    s.outstanding += sent;
    this.#sent += sent;
    return sent;
  }
}

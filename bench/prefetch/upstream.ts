// An upstream by a model: a resolver nearby that has most of what it is asked for and has to ask others for the rest. Everything about a name follows from its
// hash, and from the seed the rest, so that a run is the same every time.
import { type Query, type Reply, RRClass, RRType, Section } from '../../core/plugin.js';
import { createRandom } from '../lib/draw.js';

/** TTLs in seconds, with the share of names up to each. Services on many machines have the short ones. */
const TTLS: readonly (readonly [share: number, ttl: number])[] = [
  [0.05, 20],
  [0.3, 60],
  [0.6, 300],
  [0.7, 900],
  [0.9, 3600],
  [1, 86_400],
];

/** What the resolver has itself it says within the round trip; what it has not takes it as long as a few others take, with a long tail. */
const KNOWN_SHARE = 0.6;
const ROUND_TRIP_MS = 8;
const MEDIAN_MS = 50;
const SIGMA = 0.9;
const MOST_MS = 3000;

/** Something to be done at a time. */
interface Due {
  readonly atMs: number;
  readonly key: string;
}

const ADDRESS = Uint8Array.of(192, 0, 2, 1);

export class ModelUpstream {
  /** Queries that reached it. */
  asked = 0;
  readonly #now: () => number;
  readonly #random: () => number;
  /** By question: those that wait for one answer, as with *dedupe*. */
  readonly #waiting = new Map<string, Query[]>();
  /** A heap, the next one in front. */
  readonly #due: Due[] = [];

  constructor(now: () => number, seed: number) {
    this.#now = now;
    this.#random = createRandom(seed);
  }

  ask(q: Query): ReturnType<Query['defer']> {
    q.origin = 1;
    const key = keyOf(q);
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) {
      this.asked++;
      this.#waiting.set(key, [q]);
      this.#push({ atMs: this.#now() + this.#latency(), key });
    } else {
      waiting.push(q);
    }
    return q.defer();
  }

  /** When the next answer comes. */
  get nextMs(): number {
    return this.#due[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** Answers what is due at this moment. */
  answer(): void {
    while (this.nextMs <= this.#now()) {
      const { key } = this.#pop();
      const waiting = this.#waiting.get(key) ?? [];
      this.#waiting.delete(key);
      for (const q of waiting) q.settle(answerTo(q));
    }
  }

  #latency(): number {
    const random = this.#random;
    const roundTrip = ROUND_TRIP_MS * (0.8 + 0.4 * random());
    if (random() < KNOWN_SHARE) return roundTrip;
    // Box and Muller.
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.min(roundTrip + MEDIAN_MS * Math.exp(SIGMA * normal), MOST_MS);
  }

  #push(due: Due): void {
    const heap = this.#due;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if ((heap[above] as Due).atMs <= due.atMs) break;
      heap[at] = heap[above] as Due;
      at = above;
    }
    heap[at] = due;
  }

  #pop(): Due {
    const heap = this.#due;
    const first = heap[0] as Due;
    const last = heap.pop() as Due;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      const other = heap[below + 1];
      if (other !== undefined && other.atMs < (heap[below] as Due).atMs) below++;
      if ((heap[below] as Due).atMs >= last.atMs) break;
      heap[at] = heap[below] as Due;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}

function keyOf(q: Query): string {
  return Buffer.from(q.folded.buffer, q.folded.byteOffset, q.qnameEnd - q.qnameOffset).toString(
    'latin1',
  );
}

function answerTo(q: Query): Reply {
  const ttl = ttlOf(q);
  return q.replyRecords(0, (builder) => {
    const qname = q.wire.subarray(q.qnameOffset, q.qnameEnd);
    builder.addRecord(Section.ANSWER, qname, RRType.A, RRClass.IN, ttl, ADDRESS);
  });
}

function ttlOf(q: Query): number {
  let hash = 0x811c9dc5;
  const end = q.qnameEnd - q.qnameOffset;
  for (let i = 0; i < end; i++) hash = Math.imul(hash ^ (q.folded[i] as number), 0x01000193);
  const share = ((Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 8) & 0xffff) / 0x10000;
  return (TTLS.find(([upTo]) => share < upTo) ?? [1, 300])[1];
}

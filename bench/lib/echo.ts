// The limit of the socket layer: answers every query with its own bytes, QR set, and 66 bytes more. `node echo.js PORT [CPU] [BATCH]`.
import { pinThread } from '../../core/system/affinity.js';
import { createSocketLayer } from '../../core/system/layer.js';
import type { UdpSocket } from '../../core/system/sockets.js';

const ANSWER_BYTES = 66;
const SLOT_BYTES = 4096;
const QR = 0x80;

const [port = '5300', cpu, capacity = '256'] = process.argv.slice(2);
if (cpu !== undefined) pinThread(Number(cpu));
const layer = createSocketLayer();
const batch = layer.createBatch(Number(capacity), SLOT_BYTES);

function onReadable(socket: UdpSocket): void {
  const count = socket.receive(batch);
  for (let i = 0; i < count; i++) {
    const wire = batch.data[i] as Uint8Array;
    wire[2] = (wire[2] as number) | QR;
    batch.lengths[i] = Math.max(0, batch.lengths[i] as number) + ANSWER_BYTES;
  }
  if (count > 0) socket.send(batch, 0, count);
}

const socket = await layer.listen(
  undefined,
  { address: '127.0.0.1', port: Number(port) },
  onReadable,
);
layer.start();
console.log(`listening on port ${socket.localPort}`);
process.once('SIGTERM', async () => {
  const { wakeups, batches } = layer.stats;
  console.log(`wakeups=${wakeups} batches=${batches}`);
  socket.close();
  await layer.stop();
});

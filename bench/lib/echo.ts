// The limit of the socket layer: answers every query with its own bytes, QR set, and 66 bytes more. `node echo.js PORT [CPU] [BATCH]`.
import { pinThread } from '../../core/system/affinity.js';
import { createSocketLayer } from '../../core/system/layer.js';
import { turnBack } from './turn-back.js';

const SLOT_BYTES = 4096;

const [port = '5300', cpu, capacity = '256'] = process.argv.slice(2);
if (cpu !== undefined) pinThread(Number(cpu));
const layer = createSocketLayer();
const batch = layer.createBatch(Number(capacity), SLOT_BYTES);

const socket = await layer.listen(
  undefined,
  { address: '127.0.0.1', port: Number(port) },
  (readable) => turnBack(readable, batch),
);
layer.start();
console.log(`listening on port ${socket.localPort}`);
process.once('SIGTERM', async () => {
  const { wakeups, batches } = layer.stats;
  console.log(`wakeups=${wakeups} batches=${batches}`);
  socket.close();
  await layer.stop();
});

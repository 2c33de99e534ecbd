// What an echo does with what it receives: every query goes back with QR set and 66 bytes more, about the size of an answer.
import type { Batch, UdpSocket } from '../../core/system/sockets.js';

const ANSWER_BYTES = 66;
const QR = 0x80;

/** Takes one batch from a socket and sends it back; how many datagrams there were. */
export function turnBack(socket: UdpSocket, batch: Batch): number {
  const count = socket.receive(batch);
  for (let i = 0; i < count; i++) {
    const wire = batch.data[i] as Uint8Array;
    wire[2] = (wire[2] as number) | QR;
    batch.lengths[i] = Math.max(0, batch.lengths[i] as number) + ANSWER_BYTES;
  }
  if (count > 0) socket.send(batch, 0, count);
  return count;
}

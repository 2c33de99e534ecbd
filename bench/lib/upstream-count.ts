// How many questions reached the benchmark's upstream (authority.ts): it answers a question of class CH with that number.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { queryWire } from './query-wire.js';

const LIMIT_MS = 2000;
const CLASS_CH = 3;

/** Questions that the upstream on this port of loopback was asked so far. */
export async function upstreamCount(port: number): Promise<number> {
  const query = queryWire('count', 'none');
  query[query.length - 1] = CLASS_CH;
  const socket = createSocket('udp4');
  try {
    socket.send(query, port, '127.0.0.1');
    const [answer] = (await once(socket, 'message', {
      signal: AbortSignal.timeout(LIMIT_MS),
    })) as [Buffer];
    return answer.readUInt32BE(answer.length - 4);
  } finally {
    socket.close();
  }
}

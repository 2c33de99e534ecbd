// Free ports for servers that cannot be told to take any.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the range from which the kernel gives source ports, so that no outgoing socket takes the port in between. */
const FIRST_PORT = 20_000;
const PORTS = 12_000;
const ATTEMPTS = 50;

/** A port that neither UDP nor TCP uses on any address of this machine right now. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port after ${ATTEMPTS} attempts`);
}

async function isFree(port: number): Promise<boolean> {
  const udp = createSocket({ type: 'udp6' });
  const tcp = createServer();
  try {
    udp.bind(port);
    await once(udp, 'listening');
    tcp.listen(port);
    await once(tcp, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    udp.close();
    tcp.close();
  }
}

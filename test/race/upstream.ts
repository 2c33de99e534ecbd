// The scripted upstream as a process of its own, on as many ports as it is asked for: says what world.ts says, some of it late, some of it only the second time, and now and then
// something before it that must not be believed. Told `{ ports: N }` by its parent, it answers with the ports; told `{ report: true }`, with what reached it.
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createRandom } from '../../bench/lib/draw.js';
import { encodeReply } from './encode.js';
import { foldByte, type Name, nameOf } from './names.js';
import { type Claims, nowMs } from './stamp.js';
import { failsAt, type Network, say, scopeOf, stampOf } from './world.js';

export interface UpstreamReport {
  readonly queries: number;
  readonly overTcp: number;
}

/** Shares of all queries over UDP. */
const LOST = 0.005;
const FORGED = 0.005;
/** Shares of all queries, and for how long they wait. */
const SLOW = 0.04;
const SLOW_MS = 350;
const SOME = 0.3;
const SOME_MS = 30;
/** Longest datagram it takes up with clients that have EDNS, and those that have not. */
const LIMITS = { edns: 1232, plain: 512, tcp: 65_535 } as const;
const ECS = 8;
const HEADER_BYTES = 12;

/** A query as the upstream reads it. */
export interface Question {
  readonly name: Name;
  readonly qtype: number;
  readonly questionEnd: number;
  readonly hasOpt: boolean;
  readonly dnssec: boolean;
  readonly cd: boolean;
  readonly rd: boolean;
  readonly network: Network;
  readonly ecs: Buffer | undefined;
}

const random = createRandom(Date.now());
let queries = 0;
let overTcp = 0;

/** Reads a query; undefined for what is none of the test, probes of health say. */
export function readQuery(query: Buffer): Question | undefined {
  let end = HEADER_BYTES;
  while (query[end] !== 0) end += (query[end] as number) + 1;
  const folded = Buffer.from(query.subarray(HEADER_BYTES, end + 1)).map(foldByte);
  const questionEnd = end + 5;
  const hasOpt = query.length > questionEnd;
  try {
    const ecs = hasOpt ? subnetOf(query, questionEnd + 11) : undefined;
    return {
      name: nameOf(folded),
      qtype: query.readUInt16BE(end + 1),
      questionEnd,
      hasOpt,
      dnssec: hasOpt && ((query[questionEnd + 7] as number) & 0x80) !== 0,
      cd: ((query[3] as number) & 0x10) !== 0,
      rd: ((query[2] as number) & 1) !== 0,
      network: {
        family: ecs === undefined || ecs[2] === 0 ? 0 : ecs.readUInt16BE(0),
        source: ecs?.[2] ?? 0,
        address: ecs?.subarray(4) ?? new Uint8Array(0),
      },
      ecs,
    };
  } catch {
    return undefined;
  }
}

function subnetOf(query: Buffer, start: number): Buffer | undefined {
  for (let at = start; at + 4 <= query.length; at += 4 + query.readUInt16BE(at + 2)) {
    if (query.readUInt16BE(at) !== ECS) continue;
    return Buffer.from(query.subarray(at + 4, at + 4 + query.readUInt16BE(at + 2)));
  }
  return undefined;
}

/** The reply to be sent now, undefined for none. */
function answer(query: Buffer, q: Question, limit: number): Buffer | undefined {
  return answerAt(query, q, limit, Math.floor(nowMs()) >>> 0);
}

/** What is said at a time. */
export function answerAt(
  query: Buffer,
  q: Question,
  limit: number,
  saidMs: number,
): Buffer | undefined {
  const { family, source } = q.network;
  const isFailing = failsAt(q.name, saidMs);
  const scope = family === 0 ? 0 : isFailing ? source : scopeOf(q.name.kind, family, saidMs);
  const { dnssec, cd, rd } = q;
  const claims: Claims = { dnssec, cd, rd, family, source, scope, labels: q.name.labels };
  const stamp = stampOf(q.name, q.qtype, claims, q.network, saidMs);
  const said = say(q.name, q.qtype, stamp);
  if (said === 'silence') return undefined;
  let ecs: Buffer | undefined;
  if (q.ecs !== undefined && q.name.kind !== 'o') {
    ecs = Buffer.from(q.ecs);
    ecs[3] = scope;
  }
  return encodeReply(said, {
    query,
    questionEnd: q.questionEnd,
    hasOpt: q.hasOpt,
    dnssec,
    ecs,
    limit,
  });
}

function delayMs(): number {
  const draw = random();
  if (draw < SLOW) return random() * SLOW_MS;
  return draw < SLOW + SOME ? random() * SOME_MS : 0;
}

/** Not of the test: NOERROR and nothing else. */
function bare(query: Buffer): Buffer {
  let end = HEADER_BYTES;
  while (query[end] !== 0) end += (query[end] as number) + 1;
  const reply = Buffer.from(query.subarray(0, end + 5));
  reply[2] = 0x80 | ((query[2] as number) & 0x79);
  reply[3] = 0x80;
  reply.fill(0, 6, HEADER_BYTES);
  return reply;
}

function onDatagram(socket: UdpSocket, query: Buffer, from: RemoteInfo): void {
  const send = (reply: Buffer): void => {
    // A copy: the next reply is made in the same place.
    socket.send(Buffer.from(reply), from.port, from.address, () => {});
  };
  const q = readQuery(query);
  if (q === undefined) {
    send(bare(query));
    return;
  }
  queries++;
  const draw = random();
  if (draw < LOST) return;
  const limit = q.hasOpt ? LIMITS.edns : LIMITS.plain;
  if (draw < LOST + FORGED) {
    const forged = Buffer.from(answer(query, q, limit) ?? bare(query));
    forged[1] = (forged[1] as number) ^ 1;
    forged[forged.length - 1] = (forged[forged.length - 1] as number) ^ 1;
    send(forged);
  }
  const reply = (): void => {
    const bytes = answer(query, q, limit);
    if (bytes !== undefined) send(bytes);
  };
  const ms = delayMs();
  if (ms < 1) reply();
  else setTimeout(reply, ms);
}

function onConnection(socket: Socket): void {
  socket.on('error', () => {});
  socket.setNoDelay(true);
  let buffered = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
      const end = 2 + buffered.readUInt16BE(0);
      onStreamed(socket, Buffer.from(buffered.subarray(2, end)));
      buffered = buffered.subarray(end);
    }
  });
}

function onStreamed(socket: Socket, query: Buffer): void {
  const q = readQuery(query);
  if (q !== undefined) {
    queries++;
    overTcp++;
  }
  setTimeout(() => {
    const reply = q === undefined ? bare(query) : answer(query, q, LIMITS.tcp);
    if (reply === undefined || socket.destroyed) return;
    const frame = Buffer.alloc(2 + reply.length);
    frame.writeUInt16BE(reply.length);
    frame.set(reply, 2);
    socket.write(frame);
  }, delayMs());
}

async function listen(): Promise<number> {
  for (;;) {
    const tcp = createServer(onConnection);
    tcp.listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const { port } = tcp.address() as AddressInfo;
    const udp = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
    try {
      udp.bind(port, '127.0.0.1');
      await once(udp, 'listening');
      udp.on('message', (query, from) => onDatagram(udp, query, from));
      return port;
    } catch {
      udp.close();
      tcp.close();
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.on('message', async (told: { readonly ports?: number }) => {
    if (told.ports !== undefined) {
      const ports: number[] = [];
      for (let i = 0; i < told.ports; i++) ports.push(await listen());
      process.send?.({ ports });
    } else {
      process.send?.({ queries, overTcp } satisfies UpstreamReport);
    }
  });
  process.on('disconnect', () => process.exit(0));
}

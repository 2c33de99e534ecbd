// Ten thousand queries that wait for upstreams at the same time: every one is answered, with its own answer, once.
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import test, { type TestContext } from 'node:test';
import { makeCertificate } from '../lib/certificates.js';
import { queryBytes } from '../lib/client.js';
import { startHeimdall } from '../lib/heimdall.js';
import { addressFor, heldUpstream, numberIn } from '../lib/held-upstream.js';
import { freePort } from '../lib/ports.js';
import { needTools } from '../lib/tools.js';

const QUERIES = 10_000;
/** Queries sent before they are waited for, so that no socket buffer is filled. */
const BURST = 200;
/**
 * A query is given up after five seconds. A machine that did not bring all of them together in that time tries again, and when it is much too
 * busy for that with fewer, as it says.
 */
const ATTEMPTS = [QUERIES, QUERIES, QUERIES, QUERIES / 2, QUERIES / 4, QUERIES / 10];
const OPTIONS = { timeout: 240_000, ...needTools('openssl') };

/** What a query that waits may take in the worker, its reply with it. */
const MOST_KIB_EACH = 8;

interface Client {
  readonly socket: Socket;
  readonly port: number;
  /** Replies so far, by the number in the name. */
  readonly replies: Map<number, Buffer[]>;
}

for (const { over, properties } of [
  { over: 'udp', properties: '' },
  { over: 'tcp', properties: 'force_tcp' },
  { over: 'tls', properties: 'tls ca.pem\n        tls_servername dns.example.net' },
] as const) {
  test(`in flight: ${QUERIES} queries at once are answered over ${over}`, OPTIONS, async (t) => {
    for (const count of ATTEMPTS) {
      if (await isGathered(t, over, properties, count)) return;
      t.diagnostic(`${count} queries were not in flight at the same time`);
    }
    assert.fail('the queries were never in flight at the same time');
  });
}

/** False when the first ones were given up before the last ones were there. */
async function isGathered(
  t: TestContext,
  over: 'udp' | 'tcp' | 'tls',
  properties: string,
  count: number,
): Promise<boolean> {
  const tls = await makeCertificate('dns.example.net', '127.0.0.1');
  const upstream = await heldUpstream(t, over, tls);
  const [port, http] = [await freePort(), await freePort()];
  const scheme = over === 'tls' ? 'tls://' : '';
  const heimdall = await startHeimdall(
    `.:${port} {
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:${http}
    cache
    dedupe
    forward . ${scheme}127.0.0.1:${upstream.port} {
        read_timeout 5s
        max_fails 0
        ${properties}
    }
}
`,
    { args: ['-workers', '1'], files: { 'ca.pem': tls.cert } },
  );
  t.after(() => heimdall.stop());
  const client = await clientTo(t, port);
  const queries = Array.from({ length: count }, (_, i) =>
    queryBytes(`n${i}.example.org`, 'A', { id: i }),
  );
  const before = residentKib(heimdall.pid);

  for (let i = 0; i < count; i += BURST) {
    for (const query of queries.slice(i, i + BURST)) client.socket.send(query, port, '127.0.0.1');
    while (upstream.numbers.size < i + BURST) {
      if (client.replies.size > 0) return false;
      await turn();
    }
  }
  if (client.replies.size > 0) return false;
  // All of them are at the upstream, and none has an answer.
  const grown = residentKib(heimdall.pid) - before;
  await upstream.release(turn);
  while (client.replies.size < count) await turn();

  if ([...client.replies.values()].some(([reply]) => ((reply as Buffer)[3] as number) & 15)) {
    return false;
  }
  for (let i = 0; i < count; i++) {
    const [reply, ...more] = client.replies.get(i) ?? [];
    assert.equal(more.length, 0, `n${i} was answered more than once`);
    assert.ok(reply?.subarray(-4).equals(addressFor(i)), `n${i} has another one's answer`);
  }
  assert.ok(grown < QUERIES * MOST_KIB_EACH, `${grown} KiB`);
  const metrics = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
  for (const name of ['overload_total', 'in_flight', 'mismatched_replies_total']) {
    const lines = metrics.match(new RegExp(`^coredns_forward_${name}.* .*$`, 'gm')) ?? [];
    assert.ok(lines.length > 0, name);
    for (const line of lines) assert.match(line, / 0$/);
  }
  return true;
}

async function clientTo(t: TestContext, port: number): Promise<Client> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  t.after(() => socket.close());
  const replies = new Map<number, Buffer[]>();
  socket.on('message', (reply) => {
    const number = numberIn(reply);
    const all = replies.get(number);
    if (all === undefined) replies.set(number, [reply]);
    else all.push(reply);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { socket, port, replies };
}

function residentKib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** Lets sockets have their say, and the server the processor. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

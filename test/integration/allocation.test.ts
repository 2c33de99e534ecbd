// What answering allocates: from the cache no object per query, only what a turn of the event loop takes whatever it brings; over TCP and for a miss a
// documented amount, of which nothing stays.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ProcessLoad, runLoad } from '../../bench/lib/load-process.js';
import { loadName } from '../../bench/lib/questions.js';
import { runTcpLoad } from '../../bench/lib/tcp-loader.js';
import { isBatchedIo } from '../../core/system/layer.js';
import type { AllocationCount } from '../lib/allocation-probe.js';
import { startNsd } from '../lib/authoritative.js';
import { ask } from '../lib/client.js';
import { type Heimdall, startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';

const QUERIES = 100_000;
const NAMES = 200;
/** Misses of one round: the upstream shares the machine. */
const MISSES = 20_000;
/** The least share that must be answered for a round to count. */
const ANSWERED = 0.95;
/** A load over TCP ends after a time. */
const TCP_SECONDS = 2;
/** Counted rounds. The least counts: what the compiler and a timer of the server allocate meanwhile is not a query's doing. */
const ROUNDS = 3;
/** V8 has no smaller object than this: less for each query is no object for each query. */
const OBJECT_BYTES = 16;
/**
 * A hit over TCP, some 230: the view of the query in the chunk that Node read and the view with which the reply is copied behind others, 100 each,
 * and its share of that chunk and of a write.
 */
const TCP_BYTES = 320;
/** A miss, some 70: boxed numbers. A promise, a closure or a view more shows. */
const MISS_BYTES = 150;
/** What a turn of the event loop takes of its own is some 500 bytes, of Node and the socket layer. */
const TURN_BYTES = 600;
/** What a query may leave behind, on average of all rounds, and a round whatever it brings: a leak of anything is more. */
const KEPT_BYTES = 1;
const KEPT_ROUND_BYTES = 1 << 17;
/** So much is allocated between two collections at least: V8 begins with a young heap of this size. */
const COLLECTED_BYTES = 1 << 19;

const probe = fileURLToPath(new URL('../lib/allocation-probe.js', import.meta.url));

const ZONE = 'example.org';

interface Server {
  readonly heimdall: Heimdall;
  readonly port: number;
}

const options = { skip: isBatchedIo() ? false : 'no system calls here', timeout: 180_000 };

test('a hit allocates nothing: not for the query, and nothing that stays', options, async (t) => {
  const server = await startServer(t);
  for (const edns of ['none', 'opt', 'none'] as const) await load(server, { edns });
  await check(t, server, OBJECT_BYTES, () => load(server));
});

test('a hit over TCP allocates two views, and nothing that stays', options, async (t) => {
  const server = await startServer(t);
  for (let i = 0; i < 3; i++) await loadTcp(server);
  await check(t, server, TCP_BYTES, () => loadTcp(server));
});

test('a miss allocates no promise and no closure, and nothing that stays', options, async (t) => {
  const server = await startServer(t);
  let seed = 0;
  const misses = (): Promise<number> =>
    load(server, { kind: 'unique', seed: ++seed, queries: MISSES });
  for (let i = 0; i < 3; i++) await misses();
  await check(t, server, MISS_BYTES, misses);
});

/** Runs `round`, which gives how many queries it was, and wants no more than `bytes` allocated for each of them. The compiler is done by then. */
async function check(
  t: TestContext,
  server: Server,
  bytes: number,
  round: () => Promise<number>,
): Promise<void> {
  await count(server);
  let least: { readonly queries: number; readonly counted: AllocationCount } | undefined;
  let [all, kept] = [0, 0];
  for (let i = 0; i < ROUNDS; i++) {
    const queries = await round();
    const counted = await count(server);
    all += queries;
    kept += counted.kept;
    if (
      least === undefined ||
      counted.allocated * least.queries < least.counted.allocated * queries
    )
      least = { queries, counted };
  }
  assert.ok(least !== undefined);
  const { allocated, turns, collections } = least.counted;
  const allowed = bytes * least.queries + TURN_BYTES * turns;
  const text = `${allocated} bytes for ${least.queries} queries in ${turns} turns, ${collections} collections`;
  t.diagnostic(`${text}; ${kept} bytes stay of ${all} queries`);
  assert.ok(allocated < allowed, `${text}; less than ${allowed} allowed`);
  assert.ok(collections <= 2 + allowed / COLLECTED_BYTES, text);
  assert.ok(
    kept < KEPT_BYTES * all + KEPT_ROUND_BYTES * ROUNDS,
    `${kept} bytes stay of ${all} queries`,
  );
}

/** A server whose upstream knows all names of the load. */
async function startServer(t: TestContext): Promise<Server> {
  const [port, http] = [await freePort(), await freePort()];
  const hosts = Array.from({ length: NAMES }, (_, n) => `${loadName(n, ZONE)}. 3600 A 192.0.2.1\n`);
  const soa = `@ 3600 SOA ns hostmaster 1 3600 600 86400 300\n@ 3600 NS ns\n`;
  const others = '* 3600 A 192.0.2.2\n';
  const nsd = await startNsd(ZONE, `$ORIGIN ${ZONE}.\n${soa}${hosts.join('')}${others}`);
  t.after(() => nsd.stop());
  const heimdall = await startHeimdall(
    `plugin ${probe}

.:${port} {
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:${http}
    probe
    cache
    dedupe
    forward . ${nsd.address}
}
`,
    { args: ['-workers', '1'], node: ['--expose-gc'] },
  );
  t.after(() => heimdall.stop());
  return { heimdall, port };
}

/** Asks for names in the cache unless told otherwise, QUERIES times. Gives how many were answered. */
async function load({ port }: Server, options: Partial<ProcessLoad> = {}): Promise<number> {
  const { sent, received, rcodes } = await runLoad({
    port,
    suffix: ZONE,
    names: NAMES,
    queries: QUERIES,
    sockets: 1,
    window: 100,
    seconds: 60,
    timeoutMs: 5000,
    ...options,
  });
  assert.equal(sent, options.queries ?? QUERIES);
  // Where others load the machine, too, the upstream may be late.
  const answered = rcodes[0] ?? 0;
  assert.ok(answered > sent * ANSWERED, `${answered} of ${sent} answered, ${received} replies`);
  return received;
}

/** Asks for names in the cache over a few connections for a while. Gives how many were answered. */
async function loadTcp({ port }: Server): Promise<number> {
  const { received, rcodes } = await runTcpLoad({
    port,
    suffix: ZONE,
    names: NAMES,
    connections: 4,
    window: 32,
    seconds: TCP_SECONDS,
  });
  assert.equal(rcodes[0], received);
  assert.ok(received > 0);
  return received;
}

/** What the worker allocated since it was last asked. */
async function count({ heimdall, port }: Server): Promise<AllocationCount> {
  const logged = (): readonly string[] =>
    [...heimdall.stdout.matchAll(/plugin\/probe: (\{.*\})$/gm)].map((match) => match[1] as string);
  const before = logged().length;
  await ask(port, `mark.${ZONE}`, 'A');
  await heimdall.waitFor(new RegExp(`(?:plugin/probe: \\{[^]*?){${before + 1}}\\}`));
  return JSON.parse(logged()[before] as string) as AllocationCount;
}

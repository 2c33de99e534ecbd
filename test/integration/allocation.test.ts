// What answering from the cache allocates: no object per query, only what a turn of the event loop takes whatever it brings.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ProcessLoad, runLoad } from '../../bench/lib/load-process.js';
import { loadName } from '../../bench/lib/questions.js';
import { isBatchedIo } from '../../core/system/layer.js';
import type { AllocationCount } from '../lib/allocation-probe.js';
import { startNsd } from '../lib/authoritative.js';
import { ask } from '../lib/client.js';
import { type Heimdall, startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';

const QUERIES = 100_000;
const NAMES = 200;
/** Counted rounds. The least counts: what the compiler and a timer of the server allocate meanwhile is not a query's doing. */
const ROUNDS = 3;
/** V8 has no smaller object than this: less for each query is no object for each query. */
const OBJECT_BYTES = 16;
/** What a turn of the event loop takes of its own is some 500 bytes, of Node and the socket layer. */
const TURN_BYTES = 600;
/** What a query may leave behind, on average of all rounds: a leak of anything is more. */
const KEPT_BYTES = 1;

const probe = fileURLToPath(new URL('../lib/allocation-probe.js', import.meta.url));

const ZONE = 'example.org';

interface Server {
  readonly heimdall: Heimdall;
  readonly port: number;
}

const options = { skip: isBatchedIo() ? false : 'no system calls here', timeout: 90_000 };

test('a hit allocates nothing: not for the query, and nothing that stays', options, async (t) => {
  const server = await startServer(t);
  // Fills the cache and lets the compiler finish.
  for (const edns of ['none', 'opt', 'none'] as const) await load(server, { edns });
  await count(server);
  const counts: AllocationCount[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await load(server);
    counts.push(await count(server));
  }
  const least = counts.reduce((a, b) => (b.allocated < a.allocated ? b : a));
  const { allocated, turns, collections } = least;
  const allowed = OBJECT_BYTES * QUERIES + TURN_BYTES * turns;
  const text = `${allocated} bytes for ${QUERIES} queries in ${turns} turns, ${collections} collections`;
  const kept = counts.reduce((sum, c) => sum + c.kept, 0);
  t.diagnostic(`${text}; ${kept} bytes stay of ${ROUNDS} rounds`);
  assert.ok(allocated < allowed, `${text}; less than ${allowed} allowed`);
  assert.ok(kept < KEPT_BYTES * ROUNDS * QUERIES, `${kept} bytes stay of ${ROUNDS} rounds`);
});

/** A server whose upstream knows all names of the load. */
async function startServer(t: TestContext): Promise<Server> {
  const [port, http] = [await freePort(), await freePort()];
  const hosts = Array.from({ length: NAMES }, (_, n) => `${loadName(n, ZONE)}. 3600 A 192.0.2.1\n`);
  const soa = `@ 3600 SOA ns hostmaster 1 3600 600 86400 300\n@ 3600 NS ns\n`;
  const nsd = await startNsd(ZONE, `$ORIGIN ${ZONE}.\n${soa}${hosts.join('')}`);
  t.after(() => nsd.stop());
  const heimdall = await startHeimdall(
    `plugin ${probe}

.:${port} {
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:${http}
    probe
    cache
    forward . ${nsd.address}
}
`,
    { args: ['-workers', '1'], node: ['--expose-gc'] },
  );
  t.after(() => heimdall.stop());
  return { heimdall, port };
}

/** Asks for names in the cache, QUERIES times. */
async function load({ port }: Server, options: Partial<ProcessLoad> = {}): Promise<void> {
  const { sent, received, rcodes } = await runLoad({
    port,
    suffix: ZONE,
    names: NAMES,
    queries: QUERIES,
    sockets: 1,
    window: 200,
    seconds: 60,
    timeoutMs: 2000,
    ...options,
  });
  assert.equal(sent, QUERIES);
  assert.ok(received > QUERIES * 0.99, `${received} of ${QUERIES} answered`);
  assert.equal(rcodes[0], received);
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

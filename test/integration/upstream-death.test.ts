// NSD, Unbound and BIND as upstreams that die and come back: whom clients hear from meanwhile, and that all is well afterwards.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Ede } from '../../core/plugin.js';
import { type NameServer, startBind, startNsd, startUnbound } from '../lib/authoritative.js';
import { ask, type Got } from '../lib/client.js';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { needTools } from '../lib/tools.js';
import { ZONE } from '../lib/zone.js';

/** How soon an upstream that is back is used again. */
const BACK_MS = 10_000;
const QUERIES = 20;

/** A zone that lives for a second, whose addresses end in `octet`. */
function zoneOf(octet: number): string {
  return `$ORIGIN ${ZONE}.
$TTL 1
@ SOA ns hostmaster 1 3600 600 86400 1
@ NS ns
ns A 192.0.2.${octet}
*.new A 192.0.2.${octet}
kept A 192.0.2.${octet}
`;
}

function octetOf({ message }: Got): number {
  const answer = message.answers?.[0];
  return answer?.type === 'A' ? Number(answer.data.split('.')[3]) : 0;
}

/** How servers die: the port is closed, or nothing comes out of it. `back` is called when they are to serve again. */
const DEATHS = [
  {
    name: 'ends',
    tool: 'nsd',
    start: startNsd,
    async kill(server: NameServer, restart: (port: number) => Promise<NameServer>) {
      await server.stop();
      return () => restart(server.port);
    },
  },
  {
    name: 'falls silent',
    // Of one process.
    tool: 'named',
    start: startBind,
    async kill(server: NameServer) {
      process.kill(server.pid, 'SIGSTOP');
      return async () => {
        process.kill(server.pid, 'SIGCONT');
        return server;
      };
    },
  },
] as const;

for (const { name, tool, start, kill } of DEATHS) {
  const options = { timeout: 120_000, ...needTools(tool, 'unbound') };
  test(`upstream death: one that ${name} is left out and used again`, options, async (t) => {
    const startFirst = (port: number): Promise<NameServer> => start(ZONE, zoneOf(1), { port });
    const startSecond = (port: number): Promise<NameServer> =>
      startUnbound(ZONE, zoneOf(2), { port });
    let first = await startFirst(await freePort());
    let second = await startSecond(await freePort());
    t.after(async () => {
      for (const server of [first, second]) {
        if (server.isRunning) process.kill(server.pid, 'SIGCONT');
        await server.stop();
      }
    });
    const port = await freePort();
    const heimdall = await startHeimdall(`.:${port} {
    bind 127.0.0.1
    errors
    cache {
        serve_stale 1h immediate 30s 1s
    }
    forward . ${first.address} ${second.address} {
        policy round_robin
        read_timeout 300ms
        health_check 500ms domain ${ZONE}
    }
}
`);
    t.after(() => heimdall.stop());
    let asked = 0;
    const askNew = (): Promise<Got> => ask(port, `n${asked++}.new.${ZONE}`, 'A', { udpSize: 1232 });
    /** Asks until one of the answers is from there; how long that took. */
    const untilFrom = async (octet: number): Promise<number> => {
      const startMs = performance.now();
      while (octetOf(await askNew()) !== octet) {
        assert.ok(performance.now() - startMs < 30_000, `nothing from ${octet}`);
        await pause(50);
      }
      return performance.now() - startMs;
    };
    await untilFrom(1);
    await untilFrom(2);
    assert.equal((await ask(port, `kept.${ZONE}`, 'A')).rcode, 'NOERROR');

    const reviveFirst = await kill(first, startFirst);
    for (let i = 0; i < QUERIES; i++) assert.equal(octetOf(await askNew()), 2);
    first = await reviveFirst();
    assert.ok((await untilFrom(1)) < BACK_MS);

    const revive = [await kill(first, startFirst), await kill(second, startSecond)] as const;
    for (let i = 0; i < QUERIES; i++) {
      const { rcode, ede } = await askNew();
      assert.equal(rcode, 'SERVFAIL');
      assert.ok(ede === Ede.NO_REACHABLE_AUTHORITY || ede === Ede.NETWORK_ERROR, String(ede));
    }
    await untilKept(port, Ede.STALE_ANSWER);

    [first, second] = await Promise.all([revive[0](), revive[1]()]);
    assert.ok((await untilFrom(1)) < BACK_MS);
    assert.ok((await untilFrom(2)) < BACK_MS);
    await untilKept(port, -1);
  });
}

/** The name that was asked for in good time is always answered; waits until that is done with this extended error. */
async function untilKept(port: number, ede: number): Promise<void> {
  for (;;) {
    const kept = await ask(port, `kept.${ZONE}`, 'A', { udpSize: 1232 });
    assert.equal(kept.rcode, 'NOERROR');
    if (kept.ede === ede) return;
    await pause(50);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

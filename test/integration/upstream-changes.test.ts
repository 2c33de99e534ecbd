// Upstreams that change under a running server: by name, by file, by link; and what *loop* makes of it.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FakeUpstream } from '../../core/testing.js';
import { run } from '../lib/child.js';
import { ask, queryBytes } from '../lib/client.js';
import { answering } from '../lib/forward-rig.js';
import { type Heimdall, runHeimdall, startHeimdall } from '../lib/heimdall.js';
import { type Namespace, startNamespace } from '../lib/namespace.js';
import { freePort } from '../lib/ports.js';
import { needNamespaces, toolPath } from '../lib/tools.js';
import { Naming } from '../lib/watched-forward.js';

const LIMIT = { timeout: 120_000 };

/** Names are looked up again after 5 s at the earliest. */
const PATIENCE_MS = 60_000;

const WORKERS = 2;

/** Queries that are always under way. */
const CLIENTS = 20;

/** Ends its worker when asked for this name. */
const crash = `
import { definePlugin, directive } from 'heimdall';
export default definePlugin({
  name: 'crash',
  before: 'cache',
  syntax: directive({}),
  setup: () => ({
    serve(q, next) {
      if (q.qname === 'exit.example.org.') process.exit(3);
      return next(q);
    },
  }),
});
`;

/** Answers with the rcode that is written behind it. */
const rcode = `
import { definePlugin, directive, integer } from 'heimdall';
export default definePlugin({
  name: 'rcode',
  before: 'cache',
  syntax: directive({ args: { rcode: integer({ min: 0, max: 15 }) } }),
  setup: ({ rcode }) => ({ serve: (q) => q.replyRcode(rcode) }),
});
`;

/** Counts replies by the last octet of their address; what is not answered with one counts as lost. */
class Load {
  readonly octets: number[] = [];
  readonly #port: number;
  readonly #clients: Promise<void>[];
  #isOver = false;

  constructor(port: number) {
    this.#port = port;
    this.#clients = Array.from({ length: CLIENTS }, (_, client) => this.#run(client));
  }

  /** Resolves when all clients get this octet, for a while. */
  async turnsTo(octet: number): Promise<void> {
    while (this.octets.length < 100 || this.octets.slice(-100).some((got) => got !== octet)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }

  async #run(client: number): Promise<void> {
    for (let i = 0; !this.#isOver; i++) {
      const got = await ask(this.#port, `n${client}-${i}.example.org`, 'A', { tcp: i % 5 === 4 });
      const answer = got.message.answers?.[0];
      this.octets.push(answer?.type === 'A' ? Number(answer.data.split('.')[3]) : -1);
    }
  }
}

async function upstreamAt(t: TestContext, octet: number, port = 0): Promise<FakeUpstream> {
  const upstream = await FakeUpstream.start(answering(octet), `127.0.0.${octet}`, port);
  t.after(() => upstream.stop());
  return upstream;
}

test(
  'changes: a name leads elsewhere under load, no query is lost, and a worker that is replaced follows',
  LIMIT,
  async (t) => {
    const naming = await Naming.start(t, '127.0.0.1');
    naming.ttl = 1;
    const first = await upstreamAt(t, 1);
    await upstreamAt(t, 2, first.port);
    const [port, http] = [await freePort(), await freePort()];
    const heimdall = await startHeimdall(
      `plugin ./crash.mjs
.:${port} {
    bind 127.0.0.1
    prometheus 127.0.0.1:${http}
    crash
    forward . dns.example.net:${first.port} {
        resolver ${naming.address}
    }
}
`,
      { files: { 'crash.mjs': crash }, args: ['-workers', String(WORKERS)] },
    );
    t.after(() => heimdall.stop());
    const load = new Load(port);
    await load.turnsTo(1);
    naming.addresses = { A: ['127.0.0.2'] };
    await load.turnsTo(2);
    await load.end();
    assert.deepEqual([...new Set(load.octets)], [1, 2]);

    await crashWorker(heimdall, port);
    for (let i = 0; i < CLIENTS; i++) {
      const got = await ask(port, `after${i}.example.org`, 'A');
      assert.equal(got.message.answers?.length, 1);
    }
    const reached = first.queries.length;
    assert.equal(first.queries.filter(({ name }) => name.startsWith('after')).length, 0);
    assert.ok(reached > 0);

    const socket = join(heimdall.folder, `control-${port}.sock`);
    const args = ['upstreams', '-json', '-control', socket];
    const table = await runHeimdall(args, heimdall.folder);
    assert.equal(table.stderr, '');
    assert.match(table.stdout, new RegExp(`"upstream":"127\\.0\\.0\\.2:${first.port}"`));
    assert.doesNotMatch(table.stdout, /"upstream":"127\.0\.0\.1:/);
    const metrics = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
    assert.match(metrics, /^coredns_forward_upstream_changes_total 1$/m);
    assert.match(metrics, /^coredns_forward_upstreams 1$/m);
  },
);

async function crashWorker(heimdall: Heimdall, port: number): Promise<void> {
  const socket = createSocket('udp4');
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.send(queryBytes('exit.example.org', 'A'));
  await heimdall.waitFor(/worker \d serves again/, PATIENCE_MS);
  socket.close();
}

test(
  'changes: a loop that comes with a change is found, answered SERVFAIL, and gone with the next',
  LIMIT,
  async (t) => {
    const naming = await Naming.start(t, '127.0.0.1');
    naming.ttl = 1;
    const [good, port] = [await upstreamAt(t, 1), await freePort()];
    // At another address, the port of the good one is that of a server that sends everything back.
    const back = await startHeimdall(
      `.:${good.port} {\n    bind 127.0.0.2\n    forward . 127.0.0.1:${port}\n}\n`,
      { args: ['-workers', '1', '-control', 'none'] },
    );
    t.after(() => back.stop());
    const heimdall = await startHeimdall(
      `.:${port} {
    bind 127.0.0.1
    loop
    forward . dns.example.net:${good.port} {
        resolver ${naming.address}
    }
}
`,
      { args: ['-workers', String(WORKERS)] },
    );
    t.after(() => heimdall.stop());
    while (!good.queries.some(({ type }) => type === 'HINFO')) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal((await ask(port, 'www.example.org', 'A')).rcode, 'NOERROR');
    naming.addresses = { A: ['127.0.0.2'] };
    await heimdall.waitFor(/come back to this server.*answering SERVFAIL/, PATIENCE_MS);
    assert.equal((await ask(port, 'www.example.org', 'A')).rcode, 'SERVFAIL');
    naming.addresses = { A: ['127.0.0.1'] };
    await heimdall.waitFor(/no loop for "\." any more/, PATIENCE_MS);
    assert.equal((await ask(port, 'www.example.org', 'A')).rcode, 'NOERROR');
  },
);

/** On 127.0.0.2, 127.0.0.3 and a link-local address, each with an rcode of its own. */
const SERVERS = `plugin ./rcode.mjs
.:53 {
    bind 127.0.0.2
    rcode 0
}
.:53 {
    bind 127.0.0.3
    rcode 3
}
.:53 {
    bind fe80::53%link0
    rcode 9
}
`;

const LINK = [
  'ip link add link0 type veth peer name link1',
  'ip link set link0 up',
  'ip link set link1 up',
  'ip -6 addr add fe80::53/64 dev link0 nodad',
];

async function within(namespace: Namespace, options: readonly string[]): Promise<string> {
  const dig = [...namespace.enter(), toolPath('dig'), '+tries=1', '+time=10', ...options];
  const { stdout } = await run(dig);
  return /status: (\w+)/.exec(stdout)?.[1] ?? stdout;
}

async function serversIn(t: TestContext): Promise<Namespace> {
  const namespace = await startNamespace('nameserver 127.0.0.2\n', LINK);
  t.after(() => namespace.stop());
  const servers = await startHeimdall(SERVERS, {
    namespace,
    files: { 'rcode.mjs': rcode },
    args: ['-workers', '1', '-control', 'none'],
  });
  t.after(() => servers.stop());
  return namespace;
}

test('changes: a resolv.conf is followed through links, renames and removals, without itself', {
  ...LIMIT,
  ...needNamespaces('dig'),
}, async (t) => {
  const namespace = await serversIn(t);
  const heimdall = await startHeimdall(
    '.:53 {\n    bind 127.0.0.1\n    forward . resolv.conf\n}\n',
    {
      namespace,
      files: { 'resolv.conf': 'nameserver 127.0.0.1\nnameserver 127.0.0.2\n' },
      args: ['-workers', String(WORKERS)],
    },
  );
  t.after(() => heimdall.stop());
  const path = join(heimdall.folder, 'resolv.conf');
  const status = (...more: string[]): Promise<string> =>
    within(namespace, ['@127.0.0.1', 'www.example.org', ...more]);
  await heimdall.waitFor(
    /upstream 127\.0\.0\.1:53 of "\S+" is this server itself and left out/,
    PATIENCE_MS,
  );
  assert.equal(await status(), 'NOERROR');

  writeFileSync(`${path}.new`, 'nameserver 127.0.0.3\n');
  renameSync(`${path}.new`, path);
  await heimdall.waitFor(/added 127\.0\.0\.3:53; removed 127\.0\.0\.2:53/, PATIENCE_MS);
  assert.equal(await status(), 'NXDOMAIN');
  assert.equal(await status('+tcp'), 'NXDOMAIN');

  rmSync(path);
  await heimdall.waitFor(/cannot read "\S+": ENOENT.*those that it named last stay/, PATIENCE_MS);
  assert.equal(await status(), 'NXDOMAIN');
  writeFileSync(`${path}.linked`, 'nameserver 127.0.0.1\nnameserver fe80::53%link0\n');
  symlinkSync(`${path}.linked`, path);
  await heimdall.waitFor(/added \[fe80::53%link0\]:53; removed 127\.0\.0\.3:53/, PATIENCE_MS);
  assert.equal(await status(), 'NOTAUTH');
  assert.equal(await status('+tcp'), 'NOTAUTH');
});

test('changes: link-local upstreams need their interface, by name or number, over UDP and TCP', {
  ...LIMIT,
  ...needNamespaces('dig'),
}, async (t) => {
  const namespace = await serversIn(t);
  const { stdout } = await run([...namespace.enter(), 'ip', '-o', 'link', 'show', 'link0']);
  const index = stdout.split(':')[0];
  const heimdall = await startHeimdall(
    `.:53 {
    bind 127.0.0.1
    forward name.example.org fe80::53%link0
    forward number.example.org [fe80::53%${index}]:53
    forward other.example.org fe80::53%lo {
        read_timeout 100ms
    }
    forward own.example.org fe80::53%link0 {
        source_address fe80::53%link0
    }
}
`,
    { namespace, args: ['-workers', '1'] },
  );
  t.after(() => heimdall.stop());
  for (const zone of ['name', 'number', 'own']) {
    for (const more of [[], ['+tcp']]) {
      const status = await within(namespace, ['@127.0.0.1', `www.${zone}.example.org`, ...more]);
      assert.equal(status, 'NOTAUTH', `${zone} ${more.join()}`);
    }
  }
  assert.equal(await within(namespace, ['@127.0.0.1', 'www.other.example.org']), 'SERVFAIL');
});

test(
  'changes: a resolv.conf that names this server alone stops the start, with what to do',
  LIMIT,
  async (t) => {
    const port = await freePort();
    const naming = await Naming.start(t, '127.0.0.1');
    await assert.rejects(
      startHeimdall(
        `.:${port} {\n    bind 127.0.0.1\n    forward . dns.example.net:${port} {\n        resolver ${naming.address}\n    }\n}\n`,
        { args: ['-workers', '1', '-control', 'none'] },
      ),
      /forward: no upstream is left: 127\.0\.0\.1:\d+ of dns\.example\.net is this server itself, want addresses of others/,
    );
  },
);

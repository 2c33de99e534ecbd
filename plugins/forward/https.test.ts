// Upstreams over HTTPS: what requests look like, how connections are shared, and what happens when they break.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import test, { type TestContext } from 'node:test';
import { decode } from 'dns-packet';
import { pinOf } from '../../test/lib/certificates.js';
import {
  certificate,
  type DohServer,
  dohServer,
  type Respond,
  sayAnswer,
} from '../../test/lib/doh-server.js';
import { type ForwardRig, forwardRig, octetOf, until } from '../../test/lib/forward-rig.js';
import { needTools } from '../../test/lib/tools.js';

const need = { timeout: 30_000, ...needTools('openssl') };

interface Scene {
  readonly server: DohServer;
  readonly r: ForwardRig;
  metric(name: string): number;
}

interface SceneOptions {
  readonly respond?: Respond;
  readonly isHttp1?: boolean;
  /** Behind scheme, address and port. */
  readonly path?: string;
  readonly name?: string;
  readonly properties?: string;
}

/** A *forward* to one HTTPS server, whose connection is opened already. */
async function scene(t: TestContext, options: SceneOptions = {}): Promise<Scene> {
  const { key, cert, file } = await certificate(t);
  const { respond, isHttp1 = false, path = '', name = '', properties = '' } = options;
  const server = await dohServer(t, { key, cert, isHttp1 }, respond);
  const to = `https://127.0.0.1${name}:${server.port}${path}`;
  const r = await forwardRig(t, `forward . ${to} {\ntls ${file}\nmax_fails 0\n${properties}\n}`);
  await until(() => server.connections() === 1);
  const labels = { to: `127.0.0.1:${server.port}` };
  return { server, r, metric: (metric) => r.services.metrics.value(metric, labels) };
}

function askMany(r: ForwardRig, count: number): Promise<number[]> {
  const names = Array.from({ length: count }, (_, i) => `n${i}.example.org`);
  return Promise.all(names.map(async (name) => octetOf(await r.ask(name))));
}

for (const { written, property, want } of [
  { written: '/other', property: '', want: 'POST /other' },
  { written: '/other{?dns}', property: 'doh_method GET', want: 'GET /other?dns=' },
  { written: '/q?key=1{&dns}', property: 'doh_method GET', want: 'GET /q?key=1&dns=' },
  { written: '/q?key=1{&dns}', property: '', want: 'POST /q?key=1' },
  { written: '', property: 'doh_method GET', want: 'GET /dns-query?dns=' },
] as const) {
  test(`https: ${written} is asked by ${want}`, need, async (t) => {
    const { server, r } = await scene(t, { path: written, properties: property });
    assert.equal(octetOf(await r.ask('www.example.org')), 7);
    const { method, path } = server.requests[0] ?? { method: '', path: '' };
    assert.equal(`${method} ${path.replace(/dns=.*/, 'dns=')}`, want);
  });
}

test('https: requests name the host of the certificate and go to the address', need, async (t) => {
  const { server, r } = await scene(t, { name: '%dns.example.net' });
  assert.equal(octetOf(await r.ask('www.example.org')), 7);
  assert.equal(server.requests[0]?.authority, `dns.example.net:${server.port}`);
});

test('https: queries are padded, if they have EDNS', need, async (t) => {
  const { server, r } = await scene(t);
  await askMany(r, 3);
  for (const { message } of server.requests) {
    assert.equal(message.length, 128);
    const [opt] = decode(message).additionals as unknown as { options: { code: number }[] }[];
    assert.deepEqual(
      opt?.options.map(({ code }) => code),
      [12],
    );
  }
});

test('https: the connection is opened ahead, and many queries share it', need, async (t) => {
  const { server, r, metric } = await scene(t);
  assert.deepEqual(await askMany(r, 90), new Array(90).fill(7));
  assert.equal(server.connections(), 1);
  assert.equal(metric('connections_ahead_total'), 1);
  assert.equal(metric('/proxy_conn_cache_hits_total'), 90);
});

test(
  'https: queries are under way at the same time, and answered in any order',
  need,
  async (t) => {
    const held: (() => void)[] = [];
    const { r, server } = await scene(t, {
      respond: (request, response) => held.push(() => sayAnswer(request, response)),
    });
    const asked = askMany(r, 50);
    await until(() => held.length === 50);
    for (const answer of held.reverse()) answer();
    assert.deepEqual(await asked, new Array(50).fill(7));
    assert.equal(server.connections(), 1);
  },
);

test('https: past a hundred under way other connections are opened', need, async (t) => {
  const held: (() => void)[] = [];
  const { r, server, metric } = await scene(t, {
    respond: (request, response) => held.push(() => sayAnswer(request, response)),
  });
  const asked = askMany(r, 250);
  await until(() => held.length === 250);
  assert.equal(server.connections(), 3);
  assert.equal(metric('connections'), 3);
  for (const answer of held) answer();
  assert.deepEqual(await asked, new Array(250).fill(7));
});

test('https: over HTTP/1.1 queries have eight connections at most', need, async (t) => {
  const { r, server } = await scene(t, { isHttp1: true });
  assert.deepEqual(await askMany(r, 40), new Array(40).fill(7));
  assert.ok(server.connections() > 1 && server.connections() <= 8);
  assert.equal(server.requests[0]?.version, '1.1');
});

test('https: no more than 1024 requests are under way', need, async (t) => {
  const held: (() => void)[] = [];
  const { r } = await scene(t, {
    respond: (request, response) => held.push(() => sayAnswer(request, response)),
    properties: 'max_connect_attempts 1',
  });
  const replies = Array.from({ length: 1030 }, (_, i) => r.ask(`n${i}.example.org`));
  const refused = await Promise.all(replies.slice(1024));
  assert.deepEqual(
    refused.map(({ rcode }) => rcode),
    new Array(6).fill('SERVFAIL'),
  );
  assert.equal(r.services.metrics.value('overload_total'), 6);
  r.clock.advance(2000);
  for (const answer of held.splice(0)) answer();
  await Promise.all(replies);
  // What was given up makes room.
  const more = r.ask('more.example.org');
  await until(() => held.length > 0);
  for (const answer of held) answer();
  assert.equal(octetOf(await more), 7);
});

for (const { name, respond, counter, line } of [
  {
    name: 'another status',
    respond: (_, response) => response.writeHead(503).end('busy'),
    counter: 'http_errors_total',
    line: /^warning upstream https:\/\/127\.0\.0\.1:\d+: HTTP status 503$/,
  },
  {
    name: 'a redirection',
    respond: (_, response) => response.writeHead(301, { location: 'https://127.0.0.1/' }).end(),
    counter: 'http_errors_total',
    line: /HTTP status 301$/,
  },
  {
    name: 'another content',
    respond: (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('hello'),
    counter: 'http_errors_total',
    line: /HTTP content type "text\/html"$/,
  },
  {
    name: 'more than a message',
    respond: (_, response) => {
      response.writeHead(200, { 'content-type': 'application/dns-message' });
      response.end(Buffer.alloc(65_536));
    },
    counter: 'oversized_replies_total',
    line: /longer than a DNS message can be$/,
  },
] as const satisfies readonly { respond: Respond; [key: string]: unknown }[]) {
  test(`https: ${name} is counted and logged, and the connection stays`, need, async (t) => {
    let isBroken = true;
    const { r, server, metric } = await scene(t, {
      respond: (request, response) => (isBroken ? respond : sayAnswer)(request, response),
      properties: 'max_connect_attempts 1',
    });
    assert.equal((await r.ask('a.example.org')).rcode, 'SERVFAIL');
    isBroken = false;
    assert.equal(octetOf(await r.ask('b.example.org')), 7);
    assert.equal(metric(counter), 1);
    assert.equal(server.connections(), 1);
    assert.match(r.services.lines.find((text) => text.startsWith('warning')) ?? '', line);
  });
}

test('https: a message of 65535 bytes is taken', need, async (t) => {
  const { r, metric } = await scene(t, {
    respond: ({ message }, response) => {
      const reply = Buffer.alloc(65_535);
      message.copy(reply, 0, 0, message.indexOf(0, 12) + 5);
      reply[2] = 0x81;
      reply[3] = 0x80;
      reply.fill(0, 6, 12);
      response.writeHead(200, { 'content-type': 'application/dns-message' });
      response.end(reply);
    },
  });
  assert.equal((await r.ask('a.example.org')).rcode, 'NOERROR');
  assert.equal(metric('oversized_replies_total'), 0);
});

test('https: an id that is not 0 is a failure', need, async (t) => {
  const { r, metric } = await scene(t, {
    respond: (request, response) => {
      request.message.writeUInt16BE(7);
      sayAnswer(request, response);
    },
    properties: 'max_connect_attempts 1',
  });
  assert.equal((await r.ask('a.example.org')).rcode, 'SERVFAIL');
  assert.equal(metric('mismatched_replies_total'), 1);
});

for (const isHttp1 of [false, true]) {
  test(
    `https: queries on a connection that breaks are sent once more, HTTP/${isHttp1 ? '1.1' : '2'}`,
    need,
    async (t) => {
      const { r, server } = await scene(t, {
        isHttp1,
        respond: (request, response) => {
          if (request.connection > 0 || server.requests.length === 1) sayAnswer(request, response);
          else server.sockets[0]?.destroy();
        },
      });
      assert.equal(octetOf(await r.ask('first.example.org')), 7);
      assert.deepEqual(await askMany(r, 10), new Array(10).fill(7));
      assert.ok(server.connections() >= 2);
      assert.deepEqual(
        r.services.lines.filter((text) => text.startsWith('warning')),
        [],
      );
    },
  );
}

test('https: a stream that the upstream resets fails its query alone', need, async (t) => {
  const { r, server } = await scene(t, {
    respond: (request, response) => {
      if (request.message.includes('bad')) response.stream.close(2);
      else sayAnswer(request, response);
    },
    properties: 'max_connect_attempts 1',
  });
  const [good, bad] = await Promise.all([r.ask('good.example.org'), r.ask('bad.example.org')]);
  assert.equal(octetOf(good), 7);
  assert.equal(bad.rcode, 'SERVFAIL');
  assert.equal(octetOf(await r.ask('more.example.org')), 7);
  assert.equal(server.connections(), 1);
});

test(
  'https: a reply that drips in costs one read_timeout and holds on to nothing',
  need,
  async (t) => {
    let dripped = 0;
    const { r, server, metric } = await scene(t, {
      respond: (request, response) => {
        if (server.requests.length > 1) {
          sayAnswer(request, response);
          return;
        }
        response.writeHead(200, { 'content-type': 'application/dns-message' });
        const drip = (): void => {
          if (response.stream.destroyed) return;
          dripped++;
          response.write(Buffer.alloc(1), () => setImmediate(drip));
        };
        drip();
      },
      properties: 'max_connect_attempts 1',
    });
    const slow = r.ask('slow.example.org');
    await until(() => dripped > 10);
    r.clock.advance(2000);
    assert.equal((await slow).rcode, 'SERVFAIL');
    // No reply had come, so the connection is given up with it; another one is opened in its place.
    await until(() => server.connections() === 2);
    assert.equal(metric('connections'), 1);
    assert.equal(octetOf(await r.ask('next.example.org')), 7);
  },
);

test(
  'https: a connection is followed by one ahead when its idle time is over, and sessions are resumed',
  need,
  async (t) => {
    const { r, server, metric } = await scene(t, { properties: 'expire 1s' });
    assert.equal(octetOf(await r.ask('a.example.org')), 7);
    await new Promise((resolve) => setTimeout(resolve, 50));
    r.clock.advance(1000);
    await until(() => server.connections() === 2);
    assert.equal(octetOf(await r.ask('b.example.org')), 7);
    assert.deepEqual(
      server.requests.map(({ connection }) => connection),
      [0, 1],
    );
    assert.deepEqual(server.resumed, [false, true]);
    for (let i = 0; i < 2; i++) r.clock.advance(1000);
    assert.equal(metric('connections'), 0);
  },
);

test('https: a pin that holds is enough, one that does not is named', need, async (t) => {
  const { key, cert } = await certificate(t);
  const server = await dohServer(t, { key, cert });
  const to = `https://127.0.0.1:${server.port}`;
  const good = await forwardRig(t, `forward . ${to} {\ntls_pin sha256/${pinOf(cert)}\n}`);
  assert.equal(octetOf(await good.ask('www.example.org')), 7);
  const wrong = `forward . ${to} {\ntls_pin sha256/${'A'.repeat(43)}=\nmax_fails 0\n}`;
  const bad = await forwardRig(t, wrong);
  assert.equal((await bad.ask('www.example.org')).rcode, 'SERVFAIL');
  assert.match(bad.services.lines.join('\n'), /none of those pinned, but sha256\//);
  assert.equal(server.requests.length, 1);
});

test('https: a connection that never opens costs one read_timeout', need, async (t) => {
  const silent = createServer(() => {});
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => silent.close());
  const { port } = silent.address() as { port: number };
  const r = await forwardRig(t, `forward . https://127.0.0.1:${port} {\nmax_fails 0\n}`);
  const reply = r.ask('www.example.org');
  r.clock.advance(2000);
  assert.equal((await reply).rcode, 'SERVFAIL');
  assert.equal(r.services.metrics.value('connections'), 0);
});

// Upstreams over HTTPS that end, fall silent, come back, or allow less than they should: who is asked instead.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { Ede } from '../../core/plugin.js';
import {
  certificate,
  type DohServer,
  dohServer,
  type Respond,
  sayAnswer,
} from '../../test/lib/doh-server.js';
import {
  edeOf,
  type ForwardRig,
  forwardRig,
  octetOf,
  until,
  WITH_EDE,
} from '../../test/lib/forward-rig.js';
import { needTools } from '../../test/lib/tools.js';

const need = { timeout: 30_000, ...needTools('openssl') };

const media = { 'content-type': 'application/dns-message' };

async function askMany(r: ForwardRig, count: number): Promise<readonly number[]> {
  const names = Array.from({ length: count }, (_, i) => `n${i}.example.org`);
  return Promise.all(names.map(async (name) => octetOf(await r.ask(name))));
}

/** A *forward* to two servers, of which the first does `respond`. */
async function two(
  t: TestContext,
  respond: Respond,
): Promise<{ bad: DohServer; good: DohServer; r: ForwardRig }> {
  const { file, ...secret } = await certificate(t);
  const bad = await dohServer(t, secret, respond);
  const good = await dohServer(t, secret);
  const to = [bad, good].map(({ port }) => `https://127.0.0.1:${port}`).join(' ');
  const text = `forward . ${to} {\npolicy sequential\nmax_fails 0\ntls ${file}\n}`;
  return { bad, good, r: await forwardRig(t, text) };
}

for (const { name, respond } of [
  { name: 'another status', respond: (_, response) => response.writeHead(500).end() },
  { name: 'an empty message', respond: (_, response) => response.writeHead(200, media).end() },
  {
    name: 'a message that ends in the middle',
    respond: ({ message }, response) => response.writeHead(200, media).end(message.subarray(0, 20)),
  },
  {
    name: 'a stream that is reset in the middle of the message',
    respond: ({ message }, response) => {
      response.writeHead(200, { ...media, 'content-length': 200 });
      response.write(message.subarray(0, 20), () => response.stream.close(2));
    },
  },
  {
    name: 'another question',
    respond: (request, response) => {
      request.message.write('xxx', 13);
      sayAnswer(request, response);
    },
  },
] as const satisfies readonly { name: string; respond: Respond }[]) {
  test(`https failure: after ${name} the next upstream is asked at once`, need, async (t) => {
    const { bad, good, r } = await two(t, respond);
    assert.equal(octetOf(await r.ask('www.example.org')), 7);
    assert.deepEqual([bad.requests.length, good.requests.length], [1, 1]);
    // It is suspected now.
    assert.equal(octetOf(await r.ask('mail.example.org')), 7);
    assert.deepEqual([bad.requests.length, good.requests.length], [1, 2]);
  });
}

for (const { name, respond } of [
  { name: 'says nothing', respond: () => {} },
  {
    name: 'says no more than headers',
    respond: (_, response) => response.stream.respond({ ':status': 200, ...media }),
  },
] as const satisfies readonly { name: string; respond: Respond }[]) {
  test(`https failure: one that ${name} costs one read_timeout`, need, async (t) => {
    const { bad, good, r } = await two(t, respond);
    const asked = r.ask('www.example.org');
    await until(() => bad.requests.length === 1);
    r.clock.advance(1999);
    assert.equal(good.requests.length, 0);
    r.clock.advance(1);
    assert.equal(octetOf(await asked), 7);
    assert.deepEqual([bad.requests.length, good.requests.length], [1, 1]);
  });
}

test(
  'https failure: a connection that the server winds up is followed by another',
  need,
  async (t) => {
    const { file, ...secret } = await certificate(t);
    let isOver = false;
    const server = await dohServer(t, secret, (request, response) => {
      // GOAWAY, with queries under way.
      if (server.requests.length === 20 && !isOver) {
        isOver = true;
        response.stream.session?.goaway();
      }
      if (request.connection > 0 || server.requests.length < 10) sayAnswer(request, response);
    });
    const to = `https://127.0.0.1:${server.port}`;
    const r = await forwardRig(t, `forward . ${to} {\nmax_fails 0\ntls ${file}\n}`);
    assert.deepEqual(await askMany(r, 5), new Array(5).fill(7));
    assert.deepEqual(await askMany(r, 40), new Array(40).fill(7));
    assert.ok(isOver && server.connections() >= 2);
    assert.equal(r.services.metrics.value('state_changes_total'), 0);
  },
);

test('https failure: a server that allows ten streams gets no more at once', need, async (t) => {
  const { file, ...secret } = await certificate(t);
  let most = 0;
  let underWay = 0;
  const settings = { maxConcurrentStreams: 10 };
  const server = await dohServer(t, { ...secret, settings }, (request, response) => {
    most = Math.max(most, ++underWay);
    setImmediate(() => {
      underWay--;
      sayAnswer(request, response);
    });
  });
  const to = `https://127.0.0.1:${server.port}`;
  const r = await forwardRig(t, `forward . ${to} {\nmax_fails 0\ntls ${file}\n}`);
  assert.deepEqual(await askMany(r, 80), new Array(80).fill(7));
  assert.ok(most <= 10 * server.connections(), `${most} on ${server.connections()}`);
});

test(
  'https failure: one that is gone is SERVFAIL at once, and used again when it is back',
  need,
  async (t) => {
    const { file, ...secret } = await certificate(t);
    const first = await dohServer(t, secret);
    const { port } = first;
    const r = await forwardRig(t, `forward . https://127.0.0.1:${port} {\ntls ${file}\n}`);
    assert.equal(octetOf(await r.ask('a.example.org')), 7);
    first.stop();
    const reply = await r.ask('b.example.org', 'A', WITH_EDE);
    assert.equal(reply.rcode, 'SERVFAIL');
    assert.equal(edeOf(reply), Ede.NETWORK_ERROR);
    const second = await dohServer(t, { ...secret, port });
    const trusted = (): number =>
      r.services.metrics.value('state_changes_total', { state: 'trusted' });
    await until(() => {
      // In steps that leave a probe, which has a second, some time for a TLS handshake.
      r.clock.advance(2);
      return trusted() === 1;
    });
    assert.ok(second.requests.length >= 1);
    assert.equal(octetOf(await r.ask('c.example.org')), 7);
  },
);

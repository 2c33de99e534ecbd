// Several *forward* lines in one server block: each zone has upstreams and a policy of its own, and some names are left to the next line.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { FakeUpstream } from '../../core/testing.js';
import { ask } from '../lib/client.js';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';

async function upstream(t: TestContext, octet: number): Promise<FakeUpstream> {
  const server = await FakeUpstream.start(({ questions }) => {
    const name = questions?.[0]?.name ?? '';
    if (name.startsWith('missing.')) return { flags: 3, questions: questions ?? [] };
    return { answers: [{ type: 'A', name, ttl: 60, data: `192.0.2.${octet}` }] };
  });
  t.after(() => server.stop());
  return server;
}

test('conditional: a name goes to the upstreams of the first line that covers it', async (t) => {
  const [office, first, second, world] = await Promise.all(
    [1, 2, 3, 4].map((octet) => upstream(t, octet)),
  );
  assert.ok(office && first && second && world);
  const port = await freePort();
  const heimdall = await startHeimdall(
    `.:${port} {
    bind 127.0.0.1
    forward corp.example.org ${office.address} {
        except public.corp.example.org
        next NXDOMAIN
    }
    forward example.org ${first.address} ${second.address} {
        policy round_robin
    }
    forward . ${world.address} {
        policy sequential
    }
}
`,
    { args: ['-workers', '1'] },
  );
  t.after(() => heimdall.stop());
  const octetFor = async (name: string): Promise<number> => {
    const [rr] = (await ask(port, name, 'A')).message.answers ?? [];
    return rr?.type === 'A' ? Number(rr.data.split('.')[3]) : 0;
  };
  assert.equal(await octetFor('host.corp.example.org'), 1);
  assert.equal(await octetFor('CORP.example.ORG'), 1);
  // Excepted, and so the next line's, as what is not there.
  const turns = [
    await octetFor('www.public.corp.example.org'),
    await octetFor('public.corp.example.org'),
    await octetFor('www.example.org'),
    await octetFor('mail.example.org'),
  ];
  assert.deepEqual(turns, [2, 3, 2, 3]);
  const asked = office.queries.length;
  assert.equal((await ask(port, 'missing.corp.example.org', 'A')).rcode, 'NXDOMAIN');
  assert.equal(office.queries.length, asked + 1);
  assert.equal(first.queries.length + second.queries.length, 5);
  assert.equal(await octetFor('www.example.net'), 4);
  assert.equal(await octetFor('example'), 4);
});

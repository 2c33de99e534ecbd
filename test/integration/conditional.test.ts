// Several *forward* lines in a server block: each zone goes to servers of its own, by its own policy, but for the names that are excepted.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { FakeUpstream } from '../../core/testing.js';
import { ask } from '../lib/client.js';
import { answering } from '../lib/forward-rig.js';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';

async function upstream(t: TestContext, octet: number): Promise<string> {
  const server = await FakeUpstream.start(answering(octet));
  t.after(() => server.stop());
  return server.address;
}

async function octet(port: number, name: string, tcp: boolean): Promise<number> {
  const answer = (await ask(port, name, 'A', { tcp })).message.answers?.[0];
  return answer?.type === 'A' ? Number(answer.data.split('.')[3]) : -1;
}

test('conditional: the first forward whose zone covers a name takes it, unless it is excepted', async (t) => {
  const [one, two, three, four, five] = [
    await upstream(t, 1),
    await upstream(t, 2),
    await upstream(t, 3),
    await upstream(t, 4),
    await upstream(t, 5),
  ];
  const port = await freePort();
  const heimdall = await startHeimdall(
    `.:${port} {
    bind 127.0.0.1
    forward deep.example.org ${one} {
        except public.deep.example.org
    }
    forward example.org ${two} ${three} {
        except lab.example.org
        policy round_robin
    }
    forward 10.0.0.0/16 ${four}
    forward . ${five} ${one} {
        policy sequential
        except example.net
    }
}
`,
    { args: ['-workers', '1'] },
  );
  t.after(() => heimdall.stop());
  const cases = [
    ['deep.example.org', [1]],
    ['www.DEEP.example.org', [1]],
    ['public.deep.example.org', [2, 3]],
    ['notdeep.example.org', [2, 3]],
    ['www.example.org', [2, 3]],
    ['lab.example.org', [5]],
    ['a.lab.example.org', [5]],
    ['1.2.0.10.in-addr.arpa', [4]],
    ['1.2.1.10.in-addr.arpa', [5]],
    ['www.example.com', [5]],
    ['www.example.net', [-1]],
  ] as const;
  for (const [name, octets] of cases) {
    for (const tcp of [false, true]) {
      const got = new Set<number>();
      for (let i = 0; i < 4; i++) got.add(await octet(port, name, tcp));
      assert.deepEqual([...got].sort(), octets, `${name} ${tcp ? 'over TCP' : ''}`);
    }
  }
  // Names that no forward takes are refused by the end of the chain.
  assert.equal((await ask(port, 'www.example.net', 'A')).rcode, 'REFUSED');
});

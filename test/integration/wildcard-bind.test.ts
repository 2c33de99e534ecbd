// A server block without *bind* listens on every address, and answers from the one that was asked.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ask } from '../lib/client.js';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { needIpv6 } from '../lib/tools.js';

test('wildcard bind: the reply comes from the address that was asked', async (t) => {
  const port = await freePort();
  const heimdall = await startHeimdall(`.:${port} {\n    whoami\n}\n`);
  t.after(() => heimdall.stop());
  for (const address of ['127.0.0.1', '127.0.0.2', '127.99.98.97', '::1']) {
    for (const tcp of [false, true]) {
      const need = address === '::1' ? needIpv6() : {};
      await t.test(`wildcard bind: ${address} over ${tcp ? 'TCP' : 'UDP'}`, need, async () => {
        const { from, message } = await ask(port, 'www.example.org', 'A', { address, tcp });
        assert.equal(from, address);
        assert.equal(message.additionals?.length, 2);
      });
    }
  }
});

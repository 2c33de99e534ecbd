// The README's first command, in a network of its own: it serves, takes another file, and ends when it is told to.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Child, run } from '../lib/child.js';
import { startNamespace } from '../lib/namespace.js';
import { root } from '../lib/repository.js';
import { tempFolder } from '../lib/temp-folder.js';
import { needNamespaces, toolPath } from '../lib/tools.js';

const whoami = '.:5353 {\n    bind 127.0.0.1\n    whoami\n}\n';

const rows = [
  { name: 'npm start serves Corefile.example', args: (_file: string) => [], port: '1053' },
  {
    name: 'npm start -- -conf FILE serves another',
    args: (file: string) => ['--', '-conf', file],
    port: '5353',
  },
];

for (const { name, args, port } of rows) {
  test(`npm start: ${name}`, needNamespaces('npm', 'dig'), async (t) => {
    const folder = tempFolder();
    t.after(() => folder.remove());
    const namespace = await startNamespace('nameserver 192.0.2.53\n');
    t.after(() => namespace.stop());
    const server = await Child.start({
      command: [
        ...namespace.enter(root),
        toolPath('npm'),
        'start',
        ...args(folder.write('Corefile', whoami)),
      ],
      ready: /^Heimdall-\S+\n.*\bworkers?\b/m,
    });
    t.after(() => server.kill());
    const { stdout } = await run([
      ...namespace.enter(),
      ...[toolPath('dig'), '@127.0.0.1', '-p', port, 'whoami.example'],
    ]);
    assert.match(stdout, /^whoami\.example\.\s+0\s+IN\s+A\s+127\.0\.0\.1$/m);

    await server.stop();
    const left = await run([...namespace.enter(), 'ss', '-Hlnu', `sport = :${port}`]);
    assert.equal(left.code, 0, left.stderr);
    assert.equal(left.stdout, '');
  });
}

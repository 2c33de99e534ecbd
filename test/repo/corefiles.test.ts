// Every configuration that is printed somewhere works. Each is started in a network of its own, in which documentation addresses are
// local and nothing leads outside; without the rights for that it is only checked.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { makeCertificate } from '../lib/certificates.js';
import { run } from '../lib/child.js';
import { runHeimdall, startHeimdall } from '../lib/heimdall.js';
import { type Namespace, startNamespace } from '../lib/namespace.js';
import { type Fence, fencesOf, markdownFiles, readText } from '../lib/repository.js';
import { tempFolder } from '../lib/temp-folder.js';
import { needNamespaces, toolPath } from '../lib/tools.js';

const example: Fence = { path: 'Corefile.example', line: 1, text: readText('Corefile.example') };
const fences = [example, ...markdownFiles().flatMap((path) => fencesOf(path, 'corefile'))];

const need = needNamespaces('openssl', 'dig');
let namespace: Namespace | undefined;
/** What examples name; certificates worth starting with where there are the means to make them. */
let files: Readonly<Record<string, string>> = { 'key.pem': '', 'cert.pem': '', 'ca.pem': '' };

before(async () => {
  if (need.skip !== undefined) return;
  namespace = await startNamespace('nameserver 192.0.2.53\n', [
    'ip route add local 192.0.2.0/24 dev lo',
    'ip route add local 198.51.100.0/24 dev lo',
    'ip -6 route add local 2001:db8::/32 dev lo',
  ]);
  const { key, cert } = await makeCertificate();
  files = { 'key.pem': key, 'cert.pem': cert, 'ca.pem': cert };
});

after(() => namespace?.stop());

for (const fence of fences) {
  const where = `${fence.path}:${fence.line}`;

  test(`corefiles: ${where} is accepted`, async (t) => {
    const folder = tempFolder();
    t.after(() => folder.remove());
    folder.write('Corefile', fence.text);
    for (const [name, text] of Object.entries(files)) folder.write(name, text);
    const { code, stdout, stderr } = await runHeimdall(['check', 'Corefile'], folder.path);
    assert.equal(code, 0, `${stdout}${stderr}`);
  });

  test(`corefiles: ${where} starts and stops`, need, async () => {
    const heimdall = await startHeimdall(fence.text, { namespace, files, args: ['-workers', '1'] });
    assert.equal(await heimdall.stop(), 0);
  });
}

test(
  'corefiles: Corefile.example answers the first dig of the README without a network',
  need,
  async (t) => {
    const heimdall = await startHeimdall(example.text, { namespace });
    t.after(() => heimdall.stop());
    const dig = [
      ...(namespace?.enter() ?? []),
      toolPath('dig'),
      '@127.0.0.1',
      '-p',
      '1053',
      'whoami.example',
    ];
    for (const transport of [[], ['+tcp']]) {
      const { stdout } = await run([...dig, ...transport]);
      assert.match(stdout, /status: NOERROR/);
      assert.match(stdout, /^whoami\.example\.\s+0\s+IN\s+A\s+127\.0\.0\.1$/m);
    }
  },
);

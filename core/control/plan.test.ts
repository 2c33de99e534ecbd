import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tempFolder } from '../../test/lib/temp-folder.js';
import type { Plan } from '../chain/plan.js';
import type { Problem } from '../corefile/model.js';
import { parseCorefile } from '../corefile/parser.js';
import { formatProblems } from '../corefile/problems.js';
import { zoneLines } from './banner.js';
import { describePlan } from './commands/describe.js';
import { makePlan, type Planned } from './plan.js';
import { loadPlugins } from './plugins.js';

async function planned(text: string): Promise<Planned & { readonly problems: string[] }> {
  const parsed = parseCorefile(text, 'Corefile', { defaultPort: 53 });
  const problems: Problem[] = [...parsed.problems];
  const plugins = await loadPlugins(parsed.configuration, problems);
  const made = makePlan(parsed.configuration, plugins, problems);
  return { ...made, problems: formatProblems(problems) };
}

async function planOf(text: string): Promise<Plan> {
  const { plan, problems } = await planned(text);
  assert.deepEqual(problems, []);
  return plan;
}

test('plan: one listener per port and address, routes in file order', async () => {
  const plan = await planOf(`
    example.org:1053 example.net { whoami }
    .:1053 { bind 127.0.0.1 ::1
      whoami }
  `);
  const listeners = plan.listeners.map(({ text, routes }) => [
    text,
    routes.map(({ zone, block }) => `${block} ${zone}`),
  ]);
  assert.deepEqual(listeners, [
    ['dns://:1053', ['0 example.org.']],
    ['dns://:53', ['0 example.net.']],
    ['dns://127.0.0.1:1053', ['1 .']],
    ['dns://[::1]:1053', ['1 .']],
  ]);
  assert.deepEqual(
    plan.blocks.map((block) => block.listeners),
    [
      [0, 1],
      [2, 3],
    ],
  );
});

test('plan: the zones of a network are routes of one block', async () => {
  const plan = await planOf('192.0.2.0/23 { whoami }');
  assert.deepEqual(plan.blocks[0]?.zones, ['2.0.192.in-addr.arpa.', '3.0.192.in-addr.arpa.']);
  assert.deepEqual(
    plan.listeners[0]?.routes.map((route) => route.zoneIndex),
    [0, 1],
  );
});

test('plan: start-up lines are sorted and name the address', async () => {
  const plan = await planOf(
    'example.org:1053 .:1053 { bind 127.0.0.1 ::1\n whoami }\n.:53 { whoami }',
  );
  assert.deepEqual(zoneLines(plan.listeners), [
    '.:1053 on 127.0.0.1',
    '.:1053 on ::1',
    '.:53',
    'example.org.:1053 on 127.0.0.1',
    'example.org.:1053 on ::1',
  ]);
});

test('plan: the chain has the default order, directives that are no step are left out', async () => {
  const plan = await planOf('. { whoami\n log\n errors\n root /tmp\n bind 127.0.0.1 }');
  assert.deepEqual(
    plan.blocks[0]?.steps.map((step) => step.plugin),
    ['errors', 'log', 'whoami'],
  );
  assert.equal(plan.blocks[0]?.root, '/tmp');
  assert.deepEqual(Object.keys(plan.modules), ['errors', 'log', 'whoami']);
});

test('plan: debug in one block is debug for the process', async () => {
  assert.equal((await planOf('. { whoami }')).isDebug, false);
  const plan = await planOf('. { whoami }\nexample.org { debug\n whoami }');
  assert.deepEqual([plan.isDebug, plan.withStacks], [true, true]);
});

test('plan: order changes the chain of its block alone', async () => {
  const plan = await planOf('. { errors\n log\n whoami\n order log errors }\na { errors\n log }');
  const chains = plan.blocks.map((block) => block.steps.map((step) => step.plugin));
  assert.deepEqual(chains, [
    ['log', 'errors', 'whoami'],
    ['errors', 'log'],
  ]);
});

async function fingerprintsOf(text: string): Promise<readonly number[]> {
  return (await planOf(text)).blocks[0]?.fingerprints ?? [];
}

test('fingerprint: only what stands below a step counts for it', async () => {
  const [errors, log, whoami] = await fingerprintsOf('. { errors\n log\n whoami }');
  const moved = await fingerprintsOf('.\n{\n\n errors stdout\n log\n whoami }');
  assert.deepEqual(moved, [errors, log, whoami]);
  const other = await fingerprintsOf('. { errors\n log example.org\n whoami }');
  assert.notEqual(other[0], errors);
  assert.deepEqual(other.slice(1), [log, whoami]);
  assert.equal(new Set([errors, log, whoami]).size, 3);
});

test('fingerprint: another zone or base directory makes it another', async () => {
  const [one] = await fingerprintsOf('. { whoami }');
  const [two] = await fingerprintsOf('example.org { whoami }');
  const [three] = await fingerprintsOf('. { root /tmp\n whoami }');
  assert.equal(new Set([one, two, three]).size, 3);
});

const problems = [
  {
    name: 'all of them are reported',
    text: '. {\n whoam\n whoami now\n}\n. {\n whoami\n}',
    want: [
      'Corefile:2: unknown directive "whoam", did you mean "whoami"?',
      'Corefile:3: whoami: unexpected argument "now", want none',
      'Corefile:5: cannot serve dns://.:53, already defined on line 1',
    ],
  },
  {
    name: 'a scheme that is not served',
    text: 'tls://. {\n whoami\n}',
    want: ['Corefile:1: "tls://.": the scheme tls is not served, want dns'],
  },
  {
    name: 'port 0',
    text: '.:0 {\n whoami\n}',
    want: ['Corefile:1: ".:0": port 0 cannot be listened on, want 1..65535'],
  },
  {
    name: 'a plugin file that is not there',
    text: 'plugin ./nowhere.js\n. {\n whoami\n}',
    want: ['Corefile:1: plugin: "./nowhere.js" cannot be loaded: no such file'],
  },
  {
    name: 'a package that is not installed',
    text: 'plugin heimdall-plugin-that-is-not\n. {\n whoami\n}',
    want: [
      `Corefile:1: plugin: "heimdall-plugin-that-is-not" is not installed in ${process.cwd()}`,
    ],
  },
];

for (const { name, text, want } of problems) {
  test(`plan problems: ${name}`, async () => {
    assert.deepEqual((await planned(text)).problems, want);
  });
}

/** A plugin file that only has a name. */
function pluginText(name: string, more = ''): string {
  return `import { definePlugin, directive } from 'heimdall';
const plugin = definePlugin({ name: '${name}', ${more} syntax: directive({}), configure() {} });
export { plugin as default };
`;
}

test('plan problems: plugins whose names or neighbours cannot be', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const own = folder.write('own.mjs', pluginText('own'));
  const twin = folder.write('twin.mjs', pluginText('own'));
  const cache = folder.write('cache.mjs', pluginText('cache'));
  const lost = folder.write('lost.mjs', pluginText('lost', "after: 'nothing',"));
  const lines = [own, own, twin, cache, lost].map((path) => `plugin ${path}\n`);
  const { problems: found } = await planned(`${lines.join('')}. {\n whoami\n}`);
  assert.deepEqual(found, [
    `Corefile:2: plugin: "${own}" is named twice`,
    `Corefile:3: plugin: "${twin}" has the name "own", which "${own}" has already`,
    `Corefile:4: plugin: "${cache}" has the name of the built-in plugin "cache"`,
    `Corefile:5: plugin: "${lost}" wants to stand beside "nothing", which is no plugin`,
  ]);
});

test('plan: it is described with every plugin and its arguments', async () => {
  const made = await planned(`
    example.org:1053 . {
      bind 127.0.0.1
      errors {
        consolidate 5m "timed out"
      }
      log example.org
      log
    }
    .:54 {
      bind 127.0.0.1
    }
  `);
  assert.equal(
    describePlan(made),
    `dns://127.0.0.1:1053
  example.org.
    1.  errors
            consolidate 5m "timed out"
    2.  log example.org
        log
    -   bind 127.0.0.1
dns://127.0.0.1:53
  .
    1.  errors
            consolidate 5m "timed out"
    2.  log example.org
        log
    -   bind 127.0.0.1
dns://127.0.0.1:54
  .
    no plugin answers: REFUSED
    -   bind 127.0.0.1
`,
  );
});

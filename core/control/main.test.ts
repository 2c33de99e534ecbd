import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Child } from '../../test/lib/child.js';
import { ask } from '../../test/lib/client.js';
import { type Heimdall, MAIN, runHeimdall, startHeimdall } from '../../test/lib/heimdall.js';
import { freePort } from '../../test/lib/ports.js';
import { tempFolder } from '../../test/lib/temp-folder.js';

const manifest = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as { version: string };

const VERSION = `Heimdall-${manifest.version}`;
const PLATFORM = `${process.platform}/${process.arch}, Node ${process.version}`;

function whoami(port: number, more = ''): string {
  return `.:${port} {\n    bind 127.0.0.1\n${more}    whoami\n}\n`;
}

async function start(t: TestContext, corefile: string, ...args: string[]): Promise<Heimdall> {
  const heimdall = await startHeimdall(corefile, { args });
  t.after(() => heimdall.stop());
  return heimdall;
}

/** Runs the command line in a folder with this Corefile. */
async function run(
  t: TestContext,
  args: readonly string[],
  files: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const folder = tempFolder();
  t.after(() => folder.remove());
  for (const [name, text] of Object.entries(files)) folder.write(name, text);
  return runHeimdall(args, folder.path);
}

// Commands

test('main: -version says version and platform', async (t) => {
  const { code, stdout } = await run(t, ['-version']);
  assert.deepEqual([code, stdout], [0, `${VERSION}\n${PLATFORM}\n`]);
});

test('main: -plugins lists the built-in plugins in chain order', async (t) => {
  const { code, stdout } = await run(t, ['-plugins']);
  assert.equal(code, 0);
  assert.match(stdout, /^root\nbind\n(\w+\n)*cache\n(\w+\n)*dedupe\nforward\nwhoami\n$/);
});

test('main: -help prints the usage, misuse prints it with the reason and exits 2', async (t) => {
  const help = await run(t, ['-help']);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /^Usage: heimdall/);
  const misuse = await run(t, ['-port', '53']);
  assert.deepEqual([misuse.code, misuse.stdout], [2, '']);
  assert.match(misuse.stderr, /^heimdall: unknown flag -port\nUsage: heimdall/);
});

test('main: check says what it found valid, also when the port is taken', async (t) => {
  const port = await freePort();
  await start(t, whoami(port));
  const { code, stdout, stderr } = await run(t, ['check'], { Corefile: whoami(port) });
  assert.deepEqual([code, stdout, stderr], [0, '1 server block, 1 listener\n', '']);
});

test('main: check prints every problem and exits 2', async (t) => {
  const text = '. {\n    whoam\n    log {\n        clas all\n    }\n}\n.\n';
  const { code, stdout, stderr } = await run(t, ['check', 'conf'], { conf: text });
  assert.deepEqual([code, stdout], [2, '']);
  assert.equal(
    stderr,
    `conf:2: unknown directive "whoam", did you mean "whoami"?
conf:4: log: unknown property "clas", did you mean "class"?
conf:7: cannot serve dns://.:53, already defined on line 1
`,
  );
});

test('main: check of a file that is not there exits 2', async (t) => {
  const { code, stderr } = await run(t, ['check', 'nowhere']);
  assert.equal(code, 2);
  assert.match(stderr, /^nowhere: .+\n$/);
});

test('main: plan prints listeners and chains', async (t) => {
  const { code, stdout } = await run(t, ['plan', '-p', '1053'], {
    Corefile: '. {\n    bind 127.0.0.1\n    whoami\n    log example.org\n}\n',
  });
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `dns://127.0.0.1:1053
  .
    1.  log example.org
    2.  whoami
    -   bind 127.0.0.1
`,
  );
});

test('main: a configuration that is wrong does not start, with exit code 2', async (t) => {
  const { code, stdout, stderr } = await run(t, [], { Corefile: '. {\n    whoam\n}\n' });
  assert.deepEqual([code, stdout], [2, '']);
  assert.equal(stderr, 'Corefile:2: unknown directive "whoam", did you mean "whoami"?\n');
});

// Starting

test('main: at start it prints zones, version, platform, workers and the way of its I/O', async (t) => {
  const port = await freePort();
  const heimdall = await start(
    t,
    whoami(port).replace('.:', `example.org:${port} .:`),
    '-workers',
    '1',
  );
  const [first, second, third, fourth] = heimdall.stdout.split('\n');
  assert.equal(first, `.:${port} on 127.0.0.1`);
  assert.equal(second, `example.org.:${port} on 127.0.0.1`);
  assert.equal(third, VERSION);
  assert.ok(fourth?.startsWith(`${PLATFORM}, 1 worker, `), fourth);
});

test('main: without a Corefile the built-in configuration is served', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const port = await freePort();
  const child = await Child.start({
    command: [process.execPath, MAIN, '-dns.port', String(port), '-workers', '1'],
    ready: /^Heimdall-/m,
    cwd: folder.path,
  });
  t.after(() => child.stop());
  assert.ok(child.stdout.startsWith(`.:${port}\n`), child.stdout);
  assert.equal((await ask(port, 'example.org', 'A')).rcode, 'NOERROR');
  await child.waitFor(/"A IN example\.org\. udp/);
});

test('main: the configuration may come on standard input', async (t) => {
  const port = await freePort();
  const child = await Child.start({
    command: [process.execPath, MAIN, '-conf', 'stdin', '-workers', '1'],
    ready: /^Heimdall-/m,
    input: whoami(port),
  });
  t.after(() => child.stop());
  assert.equal((await ask(port, 'example.org', 'A')).rcode, 'NOERROR');
});

test('main: -quiet prints nothing, -pidfile is there while it runs', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const pidfile = join(folder.path, 'pid');
  const port = await freePort();
  const child = await Child.start({
    command: [process.execPath, MAIN, '-conf', 'stdin', '-quiet', '-pidfile', pidfile],
    // Debug lines are not part of the start-up output.
    ready: /serving/,
    input: `plugin ${folder.write('say.mjs', SAY)}\n${whoami(port, '    say serving\n')}`,
  });
  t.after(() => child.stop());
  assert.equal((await ask(port, 'example.org', 'A')).rcode, 'NOERROR');
  assert.equal(child.stdout, '[INFO] plugin/say: serving\n');
  while (!existsSync(pidfile)) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(readFileSync(pidfile, 'utf8'), `${child.pid}\n`);
  assert.equal(await child.stop(), 0);
  assert.equal(existsSync(pidfile), false);
});

/** Says its argument from the main thread when it starts; with `fail` refuses to start. */
const SAY = `
import { definePlugin, directive, text } from 'heimdall';
const plugin = definePlugin({
  name: 'say',
  syntax: directive({ args: { what: text() } }),
  control: ({ what }, { log }) => ({
    onStart() {
      if (what === 'fail') throw new Error('told to fail');
      log.info(what);
    },
  }),
});
export { plugin as default };
`;

test('main: without batched I/O one worker opens the sockets, and it says so', async (t) => {
  const port = await freePort();
  const heimdall = await startHeimdall(whoami(port), {
    args: ['-workers', '2'],
    env: { HEIMDALL_IO: 'dgram' },
  });
  t.after(() => heimdall.stop());
  assert.match(heimdall.stdout, /, 1 worker, plain dgram \(HEIMDALL_IO=dgram is set\)\n/);
  for (const tcp of [false, true]) {
    assert.equal((await ask(port, 'example.org', 'A', { tcp })).rcode, 'NOERROR');
  }
});

test('main: a fault in a control part is logged and stops nothing', async (t) => {
  const port = await freePort();
  const heimdall = await startHeimdall(`plugin ./late.mjs\n${whoami(port, '    late\n')}`, {
    files: { 'late.mjs': LATE },
  });
  t.after(() => heimdall.stop());
  await heimdall.waitFor(
    /^\[ERROR\] fault in plugin \(main thread\): Error: deliberate \(.*late\.mjs/m,
  );
  assert.equal((await ask(port, 'example.org', 'A')).rcode, 'NOERROR');
  assert.equal(await heimdall.stop(), 0);
});

/** Throws in the main thread, some time after the start. */
const LATE = `
import { definePlugin, directive } from 'heimdall';
const plugin = definePlugin({
  name: 'late',
  syntax: directive({}),
  control: () => ({
    onStart: () => void setTimeout(() => { throw new Error('deliberate'); }, 1_000),
  }),
});
export { plugin as default };
`;

// Not starting

test('main: a port that is taken is exit code 1 with address and reason', async (t) => {
  const port = await freePort();
  const udp = createSocket('udp4').bind(port, '127.0.0.1');
  await once(udp, 'listening');
  const first = await run(t, [], { Corefile: whoami(port) });
  udp.close();
  assert.equal(first.code, 1);
  assert.match(
    first.stderr,
    new RegExp(`^heimdall: cannot listen on 127.0.0.1:${port}/udp: .*EADDRINUSE`),
  );

  const tcp = createServer().listen(port, '127.0.0.1');
  await once(tcp, 'listening');
  t.after(() => tcp.close());
  const second = await run(t, [], { Corefile: whoami(port) });
  assert.equal(second.code, 1);
  assert.match(
    second.stderr,
    new RegExp(`^heimdall: cannot listen on 127.0.0.1:${port}/tcp: .*EADDRINUSE`),
  );
});

test('main: an HTTP port that is taken is exit code 1 with the plugin that wanted it', async (t) => {
  const port = await freePort();
  const http = await freePort();
  const tcp = createServer().listen(http, '127.0.0.1');
  await once(tcp, 'listening');
  t.after(() => tcp.close());
  const { code, stderr } = await run(t, [], {
    Corefile: whoami(port, `    prometheus 127.0.0.1:${http}\n`),
  });
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(`^heimdall: prometheus: cannot listen on 127.0.0.1:${http}/http: .*EADDRINUSE`),
  );
});

test('main: a plugin that cannot start is exit code 1 with its name', async (t) => {
  const port = await freePort();
  const { code, stderr } = await run(t, [], {
    'say.mjs': SAY,
    Corefile: `plugin ./say.mjs\n${whoami(port, '    say fail\n')}`,
  });
  assert.deepEqual([code, stderr], [1, 'heimdall: say: told to fail\n']);
});

test('main: a pid file that cannot be written is exit code 1', async (t) => {
  const port = await freePort();
  const { code, stderr } = await run(t, ['-pidfile', '/nowhere/pid'], { Corefile: whoami(port) });
  assert.deepEqual(
    [code, stderr],
    [1, 'heimdall: cannot write the pid file /nowhere/pid: ENOENT\n'],
  );
});

test('main: what is no plugin is a problem of its line', async (t) => {
  const { code, stderr } = await run(t, ['check'], {
    'empty.mjs': 'export const name = "empty";\n',
    'broken.mjs': 'export default {;\n',
    'nameless.ts': 'export default { syntax: { parse() {} }, setup() {} } as unknown;\n',
    Corefile: 'plugin ./empty.mjs\nplugin ./broken.mjs\nplugin ./nameless.ts\n. {\n    whoami\n}\n',
  });
  assert.equal(code, 2);
  const [empty, broken, nameless] = stderr.split('\n');
  assert.equal(empty, 'Corefile:1: plugin: "./empty.mjs" has no plugin as default export');
  assert.match(broken ?? '', /^Corefile:2: plugin: "\.\/broken\.mjs" cannot be loaded: /);
  assert.equal(
    nameless,
    'Corefile:3: plugin: "./nameless.ts" has no name of lower-case letters, digits and underscores',
  );
});

// Signals

test('main: SIGHUP, SIGUSR1 and SIGUSR2 end nothing', async (t) => {
  const port = await freePort();
  const heimdall = await start(t, whoami(port));
  heimdall.signal('SIGHUP');
  heimdall.signal('SIGUSR1');
  await heimdall.waitFor(/^\[WARNING\] SIGUSR1 is ignored/m);
  heimdall.signal('SIGUSR2');
  await heimdall.waitFor(/^\[WARNING\] SIGUSR2 is ignored/m);
  assert.equal((await ask(port, 'example.org', 'A')).rcode, 'NOERROR');
  assert.equal(await heimdall.stop(), 0);
});

test('main: a second SIGINT does not wait, and is exit code 2', async (t) => {
  const [port, http] = [await freePort(), await freePort()];
  const heimdall = await start(
    t,
    whoami(port, `    health 127.0.0.1:${http} {\n        lameduck 1h\n    }\n`),
  );
  heimdall.signal('SIGINT');
  await heimdall.waitFor(/going into lameduck mode/);
  assert.equal((await ask(port, 'example.org', 'A')).rcode, 'NOERROR');
  assert.equal(await heimdall.stop('SIGINT'), 2);
});

test('main: SIGQUIT ends at once', async (t) => {
  const heimdall = await start(t, whoami(await freePort()));
  assert.equal(await heimdall.stop('SIGQUIT'), 0);
});

test('main: a stop while it starts is exit code 0 without complaint', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const slow = folder.write('slow.mjs', SLOW);
  const port = await freePort();
  const child = await Child.start({
    command: [process.execPath, MAIN, '-conf', 'stdin'],
    ready: /starting slowly/,
    input: `plugin ${slow}\n${whoami(port, '    slow\n')}`,
  });
  assert.equal(await child.stop(), 0);
  assert.equal(child.stderr, '');
  assert.doesNotMatch(child.stdout, /Heimdall-/);
});

/** Takes an hour to start in each worker. */
const SLOW = `
import { definePlugin, directive } from 'heimdall';
const plugin = definePlugin({
  name: 'slow',
  syntax: directive({}),
  setup: (_, { log }) => ({
    async onStart() {
      log.info('starting slowly');
      await new Promise((resolve) => setTimeout(resolve, 3_600_000));
    },
    serve: (q, next) => next(q),
  }),
});
export { plugin as default };
`;

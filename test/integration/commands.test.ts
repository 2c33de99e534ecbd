// Commands to a running server, given on the command line.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { ask } from '../lib/client.js';
import { type Heimdall, runHeimdall, startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { tempFolder } from '../lib/temp-folder.js';

/** Understands `say COUNT`. */
const SAY = `
import { COMMANDS, CommandError, definePlugin, directive } from 'heimdall';
const plugin = definePlugin({
  name: 'say',
  syntax: directive({}),
  control: (_config, { get }) => {
    get(COMMANDS).add('say', 'COUNT', function* ([count]) {
      if (!/^\\d+$/.test(count)) throw new CommandError('say: want a COUNT');
      if (count === '13') throw new Error('deliberate');
      for (let i = 1; i <= Number(count); i++) yield { i, text: 'row ' + i };
    });
    return {};
  },
});
export { plugin as default };
`;

function corefile(port: number): string {
  return `plugin ./say.mjs
.:${port} {
    bind 127.0.0.1
    say
    whoami
}
`;
}

async function start(t: TestContext, port: number, ...args: string[]): Promise<Heimdall> {
  const server = await startHeimdall(corefile(port), {
    args: ['-workers', '1', ...args],
    files: { 'say.mjs': SAY },
  });
  // One that the test has killed cannot be stopped any more.
  t.after(() => server.stop().catch(() => {}));
  return server;
}

/** Where a server has its socket if it is not told. */
function socketOf({ folder }: Heimdall, port: number): string {
  return join(folder, `control-${port}.sock`);
}

test('commands: a plugin answers what it understands, as a table or as JSON', async (t) => {
  const port = await freePort();
  const server = await start(t, port);
  const [folder, socket] = [server.folder, socketOf(server, port)];
  const block = `.:${port} on 127.0.0.1`;
  const table = await runHeimdall(['say', '2', '-control', socket], folder);
  assert.deepEqual(table, {
    code: 0,
    stdout: `${'BLOCK'.padEnd(block.length)}  I  TEXT\n${block}  1  row 1\n${block}  2  row 2\n`,
    stderr: '',
  });
  const json = await runHeimdall(['-control', socket, 'say', '2', '--json'], folder);
  assert.deepEqual(
    json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    [
      { block, i: 1, text: 'row 1' },
      { block, i: 2, text: 'row 2' },
    ],
  );
  const list = await runHeimdall(['commands', '-control', socket], folder);
  assert.match(list.stdout, /^COMMAND\s+HELP\n(?:.+\n)*say\s+COUNT\n/);
});

test('commands: of a long answer every row is printed, however slowly it is read', async (t) => {
  const port = await freePort();
  const server = await start(t, port);
  const answer = await Promise.all(
    ['say', 'say'].map((name) =>
      runHeimdall([name, '20000', '-control', socketOf(server, port)], server.folder),
    ),
  );
  for (const { code, stdout } of answer) {
    assert.equal(code, 0);
    assert.equal(stdout.split('\n').length, 20_002);
    assert.match(stdout, /20000 {2}row 20000\n$/);
  }
});

test('commands: the exit code tells misuse from failure', async (t) => {
  const port = await freePort();
  const server = await start(t, port);
  const [folder, socket] = [server.folder, socketOf(server, port)];
  const say = (...args: string[]) => runHeimdall([...args, '-control', socket], folder);
  assert.deepEqual(await say('say', 'x'), {
    code: 2,
    stdout: '',
    stderr: 'heimdall: say: want a COUNT\n',
  });
  const unknown = await say('sya', '1');
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /^heimdall: unknown command "sya", did you mean "say"\?; want /);
  assert.deepEqual(await say('say', '13'), {
    code: 1,
    stdout: '',
    stderr: 'heimdall: deliberate\n',
  });
  assert.equal((await ask(port, 'example.org', 'A')).rcode, 'NOERROR');
});

test('commands: the only server is found, of several one has to be chosen', async (t) => {
  const [first, second] = [await freePort(), await freePort()];
  const folder = tempFolder();
  t.after(() => folder.remove());
  const RUNTIME_DIRECTORY = folder.path;
  const options = {
    args: ['-workers', '1'],
    files: { 'say.mjs': SAY },
    env: { RUNTIME_DIRECTORY },
  };
  const one = await startHeimdall(corefile(first), options);
  t.after(() => one.stop());
  const here = { RUNTIME_DIRECTORY };
  // Others may run on this machine, in the folders that every server has.
  const say = (...args: string[]) => runHeimdall(['say', '1', ...args], folder.path, here);
  const alone = await say('-control', join(folder.path, `control-${first}.sock`));
  assert.equal(alone.code, 0);
  const two = await startHeimdall(corefile(second), options);
  t.after(() => two.stop());
  const both = await say();
  assert.equal(both.code, 1);
  for (const port of [first, second]) {
    assert.ok(both.stderr.includes(`-control ${folder.path}/control-${port}.sock`), both.stderr);
  }
});

test('commands: without a server the client says where it looked, and what to do', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const socket = join(folder.path, 'none.sock');
  const { code, stderr } = await runHeimdall(['say', '-control', socket], folder.path);
  assert.deepEqual(
    [code, stderr],
    [1, `heimdall: ${socket}: no such socket; is the server running?\n`],
  );
});

test('commands: the socket goes with the server; after a kill the next server replaces it', async (t) => {
  const [port, folder] = [await freePort(), tempFolder()];
  t.after(() => folder.remove());
  const socket = join(folder.path, 'x', 'heimdall.sock');
  const killed = await start(t, port, '-control', socket);
  assert.equal(existsSync(socket), true);
  await killed.stop('SIGKILL').catch(() => {});
  assert.equal(existsSync(socket), true);
  const next = await start(t, port, '-control', socket);
  assert.equal((await runHeimdall(['say', '1', '-control', socket], folder.path)).code, 0);
  assert.equal(next.stdout.includes('WARNING'), false);
  assert.equal(await next.stop(), 0);
  assert.equal(existsSync(socket), false);
});

test('commands: a socket in use is left to its server, with a warning', async (t) => {
  const [port, other, folder] = [await freePort(), await freePort(), tempFolder()];
  t.after(() => folder.remove());
  const socket = join(folder.path, 'heimdall.sock');
  await start(t, port, '-control', socket);
  const second = await start(t, other, '-control', socket);
  await second.waitFor(
    /^\[WARNING\] no commands are taken: .+ is in use by another server; -control PATH names another place$/m,
  );
  assert.equal((await ask(other, 'example.org', 'A')).rcode, 'NOERROR');
  const { stdout } = await runHeimdall(['say', '1', '-control', socket], folder.path);
  assert.ok(stdout.includes(`.:${port} on`));
});

test('commands: -control none makes no socket', async (t) => {
  const port = await freePort();
  const server = await start(t, port, '-control', 'none');
  assert.equal(existsSync(socketOf(server, port)), false);
  assert.equal((await ask(port, 'example.org', 'A')).rcode, 'NOERROR');
});

import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { tempFolder } from '../../test/lib/temp-folder.js';
import { CommandError, type Row } from '../container/commands.js';
import { fakeServices } from '../testing/services.js';
import { CommandSocket, type CommandSocketOptions, isAlive } from './command-socket.js';

type Run = CommandSocketOptions['run'];

const nothing: Run = async function* () {};

function folder(t: TestContext): string {
  const { path, remove } = tempFolder();
  t.after(remove);
  return path;
}

async function open(
  t: TestContext,
  run: Run,
  limits: Partial<CommandSocketOptions> = {},
): Promise<{ path: string; socket: CommandSocket; lines: readonly string[] }> {
  const path = join(folder(t), 'control.sock');
  const { log, lines } = fakeServices();
  const socket = await CommandSocket.open(path, { run, log, ...limits });
  t.after(() => socket.close());
  return { path, socket, lines };
}

/** Sends this and gives the lines that come until the end. */
async function send(path: string, text: string | Buffer): Promise<unknown[]> {
  const socket = connect({ path, allowHalfOpen: true });
  socket.end(text);
  return linesOf(socket);
}

async function linesOf(socket: Socket): Promise<unknown[]> {
  let got = '';
  for await (const chunk of socket) got += String(chunk);
  return got.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
}

function request(command: string, ...args: string[]): string {
  return `${JSON.stringify({ command, args })}\n`;
}

test('command socket: a command gets its rows and a status', async (t) => {
  const { path } = await open(t, async function* (command, args) {
    for (const arg of args) yield { command, arg };
  });
  assert.deepEqual(await send(path, request('say', 'a', 'b')), [
    { row: { command: 'say', arg: 'a' } },
    { row: { command: 'say', arg: 'b' } },
    { status: 'ok' },
  ]);
  assert.deepEqual(await send(path, '{"command":"say"}\n'), [{ status: 'ok' }]);
});

test('command socket: misuse and faults are told apart, rows before them are kept', async (t) => {
  const { path, lines } = await open(t, async function* (command): AsyncGenerator<Row> {
    yield { a: 1 };
    throw command === 'misuse' ? new CommandError('want a NAME') : new Error('deliberate');
  });
  assert.deepEqual(await send(path, request('misuse')), [
    { row: { a: 1 } },
    { status: 'misuse', error: 'want a NAME' },
  ]);
  assert.deepEqual(lines, []);
  assert.deepEqual(await send(path, request('fault')), [
    { row: { a: 1 } },
    { status: 'failed', error: 'deliberate' },
  ]);
  assert.deepEqual(lines, ['error fault in command "fault": deliberate']);
});

const hostile: { name: string; text: string | Buffer }[] = [
  { name: 'no JSON', text: 'cache list\n' },
  { name: 'an empty line', text: '\n' },
  { name: 'null', text: 'null\n' },
  { name: 'a list', text: '["cache"]\n' },
  { name: 'no command', text: '{"args":[]}\n' },
  { name: 'arguments that are no texts', text: '{"command":"x","args":[1]}\n' },
  { name: 'arguments that are no list', text: '{"command":"x","args":"y"}\n' },
  { name: 'bytes', text: Buffer.from([0xff, 0, 0x80, 10]) },
  { name: 'a line without end', text: 'x'.repeat(17_000) },
];

for (const { name, text } of hostile) {
  test(`command socket: ${name} is answered with an error`, async (t) => {
    const { path } = await open(t, nothing);
    assert.deepEqual(await send(path, text), [
      { status: 'misuse', error: 'want {"command":"NAME","args":["..."]} in one short line' },
    ]);
  });
}

test('command socket: who says nothing, or no whole line, is let go', async (t) => {
  const { path } = await open(t, nothing, { requestLimitMs: 20 });
  const silent = connect({ path, allowHalfOpen: true });
  assert.deepEqual(await linesOf(silent), []);
  const partial = connect({ path, allowHalfOpen: true });
  partial.write('{"command":');
  assert.deepEqual(await linesOf(partial), []);
  assert.deepEqual(await send(path, '{"command"'), []);
});

test('command socket: the producer waits for a client that does not read, and stops when it is gone', async (t) => {
  let made = 0;
  let ended = (): void => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const { path } = await open(t, async function* () {
    try {
      for (;;) yield { made: ++made, text: 'x'.repeat(1000) };
    } finally {
      ended();
    }
  });
  const socket = connect(path).pause();
  socket.write(request('endless'));
  let before = -1;
  while (made === 0 || made !== before) {
    before = made;
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(made < 100_000, `${made} rows for nobody`);
  socket.destroy();
  await end;
});

test('command socket: a client that does not go on reading is let go', async (t) => {
  let ended = (): void => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const { path } = await open(
    t,
    async function* () {
      try {
        for (;;) yield { text: 'x'.repeat(1000) };
      } finally {
        ended();
      }
    },
    { answerLimitMs: 20 },
  );
  const socket = connect(path).pause();
  t.after(() => socket.destroy());
  socket.write(request('endless'));
  await end;
});

test('command socket: past sixteen commands at once one more is told so', async (t) => {
  const { path } = await open(t, nothing);
  const held = await Promise.all(
    Array.from({ length: 16 }, async () => {
      const socket = connect(path);
      t.after(() => socket.destroy());
      await new Promise((resolve) => socket.once('connect', resolve));
      return socket;
    }),
  );
  assert.deepEqual(await send(path, request('x')), [
    { status: 'failed', error: '16 commands are under way, no more at a time' },
  ]);
  for (const socket of held) {
    socket.destroy();
    await new Promise((resolve) => socket.once('close', resolve));
  }
  while ((await send(path, request('x'))).length !== 1);
});

test('command socket: other work is done between a few dozen rows', async (t) => {
  let turns = 0;
  const { path } = await open(t, async function* () {
    const before = turns;
    for (let i = 0; i < 2560; i++) yield { turns: turns - before };
  });
  let counts = true;
  const turn = (): void => {
    turns++;
    if (counts) setImmediate(turn);
  };
  turn();
  const lines = (await send(path, request('long'))) as { row?: Row }[];
  counts = false;
  assert.ok(Number(lines.at(-2)?.row?.turns) >= 39);
});

// The file

test('command socket: only the owner may use the file, and it goes with the server', async (t) => {
  const { path, socket } = await open(t, nothing);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await socket.close();
  assert.equal(existsSync(path), false);
});

test('command socket: folders that are missing are made for the owner alone', async (t) => {
  const top = join(folder(t), 'a');
  const socket = await CommandSocket.open(join(top, 'b', 'control.sock'), {
    run: nothing,
    log: fakeServices().log,
  });
  t.after(() => socket.close());
  assert.equal(statSync(top).mode & 0o777, 0o700);
  assert.equal(statSync(join(top, 'b')).mode & 0o777, 0o700);
});

test('command socket: the socket of a dead server is replaced', async (t) => {
  const path = join(folder(t), 'control.sock');
  await leaveStale(path);
  const socket = await CommandSocket.open(path, { run: nothing, log: fakeServices().log });
  t.after(() => socket.close());
  assert.deepEqual(await send(path, request('x')), [{ status: 'ok' }]);
});

test('command socket: the socket of a running server is left to it', async (t) => {
  const { path } = await open(t, nothing);
  const second = CommandSocket.open(path, { run: nothing, log: fakeServices().log });
  await assert.rejects(second, { message: `${path} is in use by another server` });
  assert.deepEqual(await send(path, request('x')), [{ status: 'ok' }]);
});

test('command socket: what is not a socket is never removed', async (t) => {
  const path = join(folder(t), 'control.sock');
  writeFileSync(path, 'precious');
  const opened = CommandSocket.open(path, { run: nothing, log: fakeServices().log });
  await assert.rejects(opened, { message: `${path} is there and not a socket` });
  assert.equal(existsSync(path), true);
});

test('command socket: a path that is too long, or below a file, is refused with the reason', async (t) => {
  const top = folder(t);
  const log = fakeServices().log;
  const long = join(top, 'x'.repeat(110));
  await assert.rejects(CommandSocket.open(long, { run: nothing, log }), {
    message: `${long} is too long for a socket, want at most 103 bytes`,
  });
  writeFileSync(join(top, 'file'), '');
  await assert.rejects(CommandSocket.open(join(top, 'file', 'x', 'y'), { run: nothing, log }), {
    message: `cannot make the folder ${join(top, 'file', 'x')}: ENOTDIR`,
  });
});

test('command socket: by default it is named after the port, in a folder that others cannot write to', async (t) => {
  const top = folder(t);
  const [shared, own] = [join(top, 'shared'), join(top, 'own')];
  mkdirSync(shared);
  chmodSync(shared, 0o777);
  const saved = { ...process.env };
  t.after(() => {
    process.env = saved;
  });
  process.env = { ...saved, RUNTIME_DIRECTORY: `${own}:${shared}` };
  const options = { run: nothing, log: fakeServices().log };
  const socket = await CommandSocket.open(1053, options);
  assert.equal(socket.path, join(own, 'control-1053.sock'));
  await socket.close();
  process.env.RUNTIME_DIRECTORY = shared;
  const other = await CommandSocket.open(1, { ...options }).catch(() => undefined);
  t.after(() => other?.close());
  assert.notEqual(other?.path, join(shared, 'control-1.sock'));
  assert.deepEqual(readdirSync(shared), []);
});

/** A socket file with nobody behind it, as a process leaves it that is killed. */
async function leaveStale(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.1`, resolve));
  const { linkSync } = await import('node:fs');
  linkSync(`${path}.1`, path);
  await new Promise((resolve) => server.close(resolve));
  assert.equal(await isAlive(path), false);
  assert.equal(existsSync(path), true);
}

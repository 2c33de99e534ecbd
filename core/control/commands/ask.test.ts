import assert from 'node:assert/strict';
import { linkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { tempFolder } from '../../../test/lib/temp-folder.js';
import { ask } from './ask.js';

/** A server that says this to whoever asks, and what a client makes of it. */
async function asked(
  t: TestContext,
  answer: string,
  isJson = false,
): Promise<{ code: number; out: string; err: string; request: string; path: string }> {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const path = join(folder.path, 'control.sock');
  let request = '';
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      request += String(bytes);
      socket.end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => server.close());
  return { ...(await askAt(path, isJson)), path, request };
}

async function askAt(control: string, isJson = false) {
  let [out, err] = ['', ''];
  const code = await ask(
    { kind: 'ask', command: 'say', args: ['a', '-b'], control, isJson },
    {
      print: (text) => {
        out += text;
      },
      complain: (text) => {
        err += text;
      },
      printed: async () => {},
    },
  );
  return { code, out, err };
}

test('ask: rows come as a table, or as JSON as they are', async (t) => {
  const answer = '{"row":{"a":1,"b":"x"}}\n{"row":{"a":2,"b":"y\\n"}}\n{"status":"ok"}\n';
  const table = await asked(t, answer);
  assert.equal(table.request, '{"command":"say","args":["a","-b"]}\n');
  assert.deepEqual([table.code, table.out, table.err], [0, 'A  B\n1  x\n2  y?\n', '']);
  const json = await asked(t, answer, true);
  assert.deepEqual([json.code, json.out], [0, '{"a":1,"b":"x"}\n{"a":2,"b":"y\\n"}\n']);
});

test('ask: misuse is 2, failure is 1, what came before is printed', async (t) => {
  const row = '{"row":{"a":1}}\n';
  const misuse = await asked(t, `${row}{"status":"misuse","error":"want this"}\n`);
  assert.deepEqual([misuse.code, misuse.out, misuse.err], [2, 'A\n1\n', 'heimdall: want this\n']);
  const failure = await asked(t, '{"status":"failed","error":"no"}\n');
  assert.deepEqual([failure.code, failure.err], [1, 'heimdall: no\n']);
});

test('ask: an answer without an end is a failure', async (t) => {
  for (const answer of ['', '{"row":{"a":1}}\n']) {
    const { code, err, path } = await asked(t, answer);
    assert.equal(code, 1);
    assert.equal(
      err,
      `heimdall: ${path}: the server ended the connection before its answer was complete\n`,
    );
  }
  assert.equal((await asked(t, 'nonsense\n')).code, 1);
});

test('ask: a socket that nobody listens on any more is a failure that says so', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const path = join(folder.path, 'control.sock');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.1`, resolve));
  linkSync(`${path}.1`, path);
  await new Promise((resolve) => server.close(resolve));
  assert.deepEqual(await askAt(path), {
    code: 1,
    out: '',
    err: `heimdall: ${path}: no server is behind this socket any more\n`,
  });
});

// The cache over a restart: stopped in order, killed, and with a file that is no good.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { FakeUpstream } from '../../core/testing.js';
import { ask } from '../lib/client.js';
import { type Heimdall, runHeimdall, startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { tempFolder } from '../lib/temp-folder.js';

const NAMES = Array.from({ length: 50 }, (_, i) => `n${i}.example.org`);

interface Rig {
  readonly port: number;
  readonly upstream: FakeUpstream;
  readonly file: string;
  /** Starts a server that keeps its cache in `file`. */
  start(interval: string): Promise<Heimdall>;
  askAll(): Promise<void>;
}

async function rig(t: TestContext): Promise<Rig> {
  const upstream = await FakeUpstream.start((query) => {
    const name = query.questions?.[0]?.name ?? '';
    return { answers: [{ name, type: 'A', ttl: 3600, data: '192.0.2.1' }] };
  });
  t.after(() => upstream.stop());
  const folder = tempFolder();
  t.after(() => folder.remove());
  const [port, file] = [await freePort(), join(folder.path, 'cache')];
  return {
    port,
    upstream,
    file,
    async start(interval) {
      const server = await startHeimdall(
        `.:${port} {
    bind 127.0.0.1
    root /tmp
    errors
    cache {
        persist ${file} ${interval}
    }
    forward . ${upstream.address}
}
`,
        // Alone it never has to do without a lock, which would cost an entry.
        { args: ['-workers', '1'] },
      );
      t.after(() => server.stop().catch(() => {}));
      return server;
    },
    async askAll() {
      const replies = await Promise.all(NAMES.map((name) => ask(port, name, 'A')));
      for (const { message } of replies) assert.equal(message.answers?.length, 1);
    },
  };
}

/** Waits until the file is another one. */
async function written(file: string): Promise<void> {
  const before = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  while (statSync(file, { throwIfNoEntry: false })?.mtimeMs === before) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('persist: after a stop and a start the upstream is asked for nothing again', async (t) => {
  const { upstream, file, start, askAll } = await rig(t);
  const first = await start('0');
  await askAll();
  assert.equal(upstream.queries.length, NAMES.length);
  assert.equal(existsSync(file), false);
  assert.equal(await first.stop(), 0);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const second = await start('0');
  await second.waitFor(/^\[INFO\] plugin\/cache: 50 entries of \d+ s ago from .+, 0 left out$/m);
  await askAll();
  assert.equal(upstream.queries.length, NAMES.length);
  assert.equal(await second.stop(), 0);
});

test('persist: after a kill there is what the last interval kept', async (t) => {
  const { upstream, file, start, askAll } = await rig(t);
  const first = await start('1s');
  await askAll();
  // The one that is written next may have begun before.
  await written(file);
  await written(file);
  await first.stop('SIGKILL').catch(() => {});
  await start('1s');
  await askAll();
  assert.equal(upstream.queries.length, NAMES.length);
});

test('persist: killed again and again while it writes, it always finds a whole file', async (t) => {
  const { file, start, askAll } = await rig(t);
  for (let round = 0; round < 3; round++) {
    const server = await start('1s');
    assert.doesNotMatch(server.stdout, /ignored/);
    await askAll();
    await written(file);
    await server.stop('SIGKILL').catch(() => {});
  }
});

for (const [what, damage] of [
  ['cut off', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
  ['damaged', (bytes: Buffer) => bytes.fill(0xff, 100, 200)],
  ['of version 9', (bytes: Buffer) => bytes.fill(9, 8, 9)],
] as const) {
  test(`persist: a file that is ${what} is reported, ignored and replaced`, async (t) => {
    const { upstream, file, start, askAll } = await rig(t);
    const first = await start('0');
    await askAll();
    await first.stop();
    writeFileSync(file, damage(readFileSync(file)));
    const second = await start('0');
    await second.waitFor(/^\[WARNING\] plugin\/cache: snapshot .+ is ignored: it (is|has) /m);
    await askAll();
    assert.equal(upstream.queries.length, 2 * NAMES.length);
    assert.equal(await second.stop(), 0);
    await start('0');
    await askAll();
    assert.equal(upstream.queries.length, 2 * NAMES.length);
  });
}

test('persist: without its folder it serves, and says so', async (t) => {
  const port = await freePort();
  const server = await startHeimdall(`.:${port} {
    bind 127.0.0.1
    cache {
        persist nowhere/cache
    }
    whoami
}
`);
  t.after(() => server.stop());
  await server.waitFor(
    /^\[WARNING\] plugin\/cache: no snapshot can be written to .+nowhere: ENOENT$/m,
  );
  assert.equal((await ask(port, 'example.org', 'A')).rcode, 'NOERROR');
  assert.equal(await server.stop(), 0);
  assert.match(server.stdout, /^\[ERROR\] plugin\/cache: snapshot: cannot write .+ENOENT/m);
});

test('persist: two server blocks cannot have one file', async (t) => {
  const [port, folder] = [await freePort(), tempFolder()];
  t.after(() => folder.remove());
  const block = (zone: string): string => `${zone}:${port} {
    bind 127.0.0.1
    cache {
        persist shared
    }
    whoami
}
`;
  folder.write('Corefile', `${block('a.example')}${block('b.example')}`);
  const { code, stderr } = await runHeimdall([], folder.path);
  assert.equal(code, 1);
  const server = `on dns://127.0.0.1:${port}`;
  const path = join(folder.path, 'shared');
  assert.equal(
    stderr,
    `heimdall: ${path} is written for cache of a.example. ${server}, want another file for cache of b.example. ${server}\n`,
  );
});

// The socket through which an operator commands the running server: `heimdall cache list` and the like.
//
//   client:  {"command":"cache","args":["list"]}        one line
//   server:  {"row":{"block":".:53","name":...}}        a line per row, as fast as the client takes them
//            {"status":"ok"}                            the last line; {"status":"misuse","error":"..."} or {"status":"failed","error":"..."}
//
// Whoever may write to the file may command; that is its owner and root. The event loop turns between any few dozen rows.
import { lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from '../chain/services.js';
import { CommandError, type Row } from '../container/commands.js';
import { claimFolder, defaultPaths, faultOfPath, makeFolder } from './socket-places.js';

/** Operators and their scripts are few. */
const MAX_CONNECTIONS = 16;

/** Names have at most 1016 characters as they are written; no command takes many arguments. */
const MAX_REQUEST_BYTES = 16 * 1024;

/** A client sends its request at once. */
const REQUEST_LIMIT_MS = 5_000;

/** A client may be a person reading page by page; then the connection is somebody else's to use. */
const ANSWER_LIMIT_MS = 600_000;

/** From when the last line was taken until the client has closed. */
const DISMISS_LIMIT_MS = 1_000;

/** Rows between two turns of the event loop: about a millisecond. */
const ROWS_PER_TURN = 64;

export interface CommandSocketOptions {
  /** The rows of a command; throws a CommandError for misuse. */
  run(command: string, args: readonly string[]): AsyncIterable<Row>;
  readonly log: Logger;
  /** Told what became of every request. */
  count?(outcome: Outcome): void;
  /** How long a client may take to ask, and to take a part of the answer; for tests. */
  readonly requestLimitMs?: number;
  readonly answerLimitMs?: number;
}

/** `refused`: too many were under way. */
export const OUTCOMES = ['ok', 'misuse', 'failed', 'refused'] as const;
export type Outcome = (typeof OUTCOMES)[number];

type Status =
  | { readonly status: 'ok' }
  | { readonly status: 'misuse' | 'failed'; readonly error: string };

export class CommandSocket {
  readonly path: string;
  readonly #options: CommandSocketOptions;
  readonly #server: Server;
  /** Those that were refused as well, until they are closed. */
  readonly #connections = new Set<Socket>();
  #underWay = 0;

  private constructor(path: string, options: CommandSocketOptions) {
    this.path = path;
    this.#options = options;
    // Half open: a client may say that it has no more to ask before it reads.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Listens at a path of the operator's choice, or where a server with this first port has its socket. Rejects with an Error that says why it cannot. */
  static async open(at: string | number, options: CommandSocketOptions): Promise<CommandSocket> {
    if (process.getuid === undefined) throw new Error(`not available on ${process.platform}`);
    if (typeof at === 'string') {
      makeFolder(dirname(at));
      return CommandSocket.#listen(at, options);
    }
    let reason: unknown;
    for (const path of defaultPaths(at)) {
      try {
        claimFolder(dirname(path));
      } catch (error) {
        reason ??= error;
        continue;
      }
      return CommandSocket.#listen(path, options);
    }
    throw reason;
  }

  static async #listen(path: string, options: CommandSocketOptions): Promise<CommandSocket> {
    const fault = faultOfPath(path);
    if (fault !== undefined) throw new Error(fault);
    await removeStale(path);
    const socket = new CommandSocket(path, options);
    await socket.#bind();
    return socket;
  }

  /** Ends what is under way and removes the file. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  #bind(): Promise<void> {
    const server = this.#server;
    return new Promise((resolve, reject) => {
      server.once('error', ({ code }: NodeJS.ErrnoException) =>
        reject(new Error(`cannot listen on ${this.path}: ${code}`)),
      );
      // The file is made by this call, and must not be anybody's to write to for a moment.
      const mask = process.umask(0o177);
      try {
        server.listen(this.path, () => {
          // Running out of descriptors costs commands, not the process.
          server.removeAllListeners('error').on('error', () => {});
          resolve();
        });
      } finally {
        process.umask(mask);
      }
    });
  }

  #accept(socket: Socket): void {
    socket.on('error', () => {});
    this.#connections.add(socket);
    socket.on('close', () => this.#connections.delete(socket));
    if (this.#underWay === MAX_CONNECTIONS) {
      this.#options.count?.('refused');
      const error = `${MAX_CONNECTIONS} commands are under way, no more at a time`;
      dismiss(socket, { status: 'failed', error });
      return;
    }
    this.#underWay++;
    socket.on('close', () => this.#underWay--);
    socket.setTimeout(this.#options.requestLimitMs ?? REQUEST_LIMIT_MS, () => socket.destroy());
    let bytes = Buffer.alloc(0);
    let hasAsked = false;
    const onData = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\n');
      if (end < 0 && bytes.length <= MAX_REQUEST_BYTES) return;
      hasAsked = true;
      socket.off('data', onData).pause();
      socket.setTimeout(this.#options.answerLimitMs ?? ANSWER_LIMIT_MS);
      void this.#answer(socket, bytes.subarray(0, Math.max(end, 0)).toString());
    };
    socket.on('data', onData);
    socket.once('end', () => {
      // What is asked ends with the line; without one there is nothing to answer.
      if (!hasAsked) socket.destroy();
    });
  }

  async #answer(socket: Socket, line: string): Promise<void> {
    const status = await this.#run(socket, line);
    this.#options.count?.(status.status);
    dismiss(socket, status);
  }

  async #run(socket: Socket, line: string): Promise<Status> {
    const request = parseRequest(line);
    if (request === undefined) {
      return {
        status: 'misuse',
        error: 'want {"command":"NAME","args":["..."]} in one short line',
      };
    }
    const { command, args } = request;
    try {
      await this.#stream(socket, this.#options.run(command, args));
      return { status: 'ok' };
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (error instanceof CommandError) return { status: 'misuse', error: text };
      this.#options.log.error(`fault in command ${JSON.stringify(command)}: ${text}`);
      return { status: 'failed', error: text };
    }
  }

  /** Writes rows as fast as the client takes them, until it is gone. */
  async #stream(socket: Socket, rows: AsyncIterable<Row>): Promise<void> {
    let text = '';
    let count = 0;
    try {
      for await (const row of rows) {
        text += lineOf({ row });
        if (++count % ROWS_PER_TURN !== 0) continue;
        const isTaken = socket.write(text);
        text = '';
        if (!isTaken) await drained(socket);
        await nextTurn();
        if (socket.destroyed) return;
      }
    } finally {
      socket.write(text);
    }
  }
}

/**
 * Says the last word and closes. What the client still sends is read and dropped, because closing on unread bytes would take back what it has not read
 * yet; one that keeps the connection open is let go after a moment.
 */
function dismiss(socket: Socket, status: Status): void {
  socket.resume();
  socket.end(lineOf(status), () => socket.setTimeout(DISMISS_LIMIT_MS, () => socket.destroy()));
}

/** Resolves when more can be written, or nothing any more. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
    if (socket.destroyed) done();
  });
}

function lineOf(value: Status | { readonly row: Row }): string {
  return `${JSON.stringify(value)}\n`;
}

function parseRequest(line: string): { command: string; args: readonly string[] } | undefined {
  try {
    const { command, args = [] } = JSON.parse(line) as { command?: unknown; args?: unknown };
    const isList = Array.isArray(args) && args.every((arg) => typeof arg === 'string');
    return typeof command === 'string' && isList ? { command, args } : undefined;
  } catch {
    return undefined;
  }
}

/** Removes the socket of a server that is gone. Throws an Error when the path is somebody's. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path} is there and not a socket`);
  if (await isAlive(path)) throw new Error(`${path} is in use by another server`);
  unlinkSync(path);
}

/** Whether somebody listens at a path. */
export function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      // Somebody is there who is busy, or not ours to ask.
      resolve(code === 'EAGAIN' || code === 'EACCES' || code === 'EPERM');
    });
  });
}

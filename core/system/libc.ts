// libc through koffi, declared once. Loaded when first asked for and optional: without koffi or off Linux the plain dgram twin takes over.
import { endianness } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { commonjs } from './commonjs.js';

/** Watches one descriptor in the thread's own event loop; level-triggered. */
export interface PollHandle {
  close(): void;
}

/**
 * The calls this server makes, named and typed as in libc. Memory is given as a view (kept alive for the call) or, where a call is made for every
 * batch, as a numeric address from `addressOf`: 534 ns instead of 588 ns for an empty recvmmsg. Results are those of libc; -1 means `errno()` tells why.
 */
export interface Libc {
  readonly koffiVersion: string;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  listen(fd: number, backlog: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  close(fd: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number;
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number;
  recvmmsg(fd: number, headers: number, count: number, flags: number, timeout: number): number;
  sendmmsg(fd: number, headers: number, count: number, flags: number): number;
  sendto(
    fd: number,
    bytes: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ): number;
  recv(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: Uint8Array): number;
  epoll_wait(epoll: number, events: number, count: number, timeoutMs: number): number;
  sched_setaffinity(pid: number, size: number, mask: Uint8Array): number;
  sched_getaffinity(pid: number, size: number, mask: Uint8Array): number;
  if_nametoindex(name: string): number;
  _exit(code: number): void;
  /** These two are of glibc only. */
  mallopt?(parameter: number, value: number): number;
  malloc_trim?(pad: number): number;
  errno(): number;
  /** Address of the first byte of a view. Valid as long as the memory is referenced; memory of a SharedArrayBuffer does not move. */
  addressOf(view: ArrayBufferView): number;
  /** Calls `onReadable` from the event loop whenever `fd` is readable. It must not throw: koffi ends the process then. */
  watch(fd: number, onReadable: () => void): PollHandle;
}

/** The parts of koffi used here, so that nothing needs its types. */
interface Koffi {
  readonly version: string;
  load(path: string | null): { func(name: string, result: string, args: string[]): unknown };
  address(view: ArrayBufferView): bigint;
  errno(): number;
  readonly node: { poll(fd: number, callback: () => void): PollHandle };
}

type GlibcCall = 'mallopt' | 'malloc_trim';
type Call = keyof Omit<Libc, 'koffiVersion' | GlibcCall | 'errno' | 'addressOf' | 'watch'>;

/** koffi does not know ssize_t: `long` is the same on every system we run on. Addresses are `int64`, so that they stay plain numbers. */
const SIGNATURES: Readonly<Record<Call, readonly [string, string[]]>> = {
  socket: ['int', ['int', 'int', 'int']],
  bind: ['int', ['int', 'void*', 'uint']],
  listen: ['int', ['int', 'int']],
  connect: ['int', ['int', 'void*', 'uint']],
  close: ['int', ['int']],
  fcntl: ['int', ['int', 'int', 'long']],
  setsockopt: ['int', ['int', 'int', 'int', 'void*', 'uint']],
  getsockname: ['int', ['int', 'void*', 'void*']],
  recvmmsg: ['int', ['int', 'int64', 'uint', 'int', 'int64']],
  sendmmsg: ['int', ['int', 'int64', 'uint', 'int']],
  sendto: ['long', ['int', 'void*', 'size_t', 'int', 'void*', 'uint']],
  recv: ['long', ['int', 'void*', 'size_t', 'int']],
  epoll_create1: ['int', ['int']],
  epoll_ctl: ['int', ['int', 'int', 'int', 'void*']],
  epoll_wait: ['int', ['int', 'int64', 'int', 'int']],
  sched_setaffinity: ['int', ['int', 'size_t', 'void*']],
  sched_getaffinity: ['int', ['int', 'size_t', 'void*']],
  if_nametoindex: ['uint', ['str']],
  _exit: ['void', ['int']],
};

/** Where the kernel's constants and structures are those written down in linux.ts. */
const ARCHITECTURES = ['x64', 'arm64', 'riscv64', 'loong64'];

/** libc, or why there is none: text that fits into parentheses. */
export type LibcResult = { readonly libc: Libc } | { readonly reason: string };

let loaded: LibcResult | undefined;

/** libc of this thread; the first call loads it. */
export function loadLibc(): LibcResult {
  loaded ??= tryLoad();
  return loaded;
}

/** libc for callers that cannot do without; throws an Error with code ERR_NO_LIBC. */
export function requireLibc(): Libc {
  const result = loadLibc();
  if ('libc' in result) return result.libc;
  throw Object.assign(new Error(`no system calls: ${result.reason}`), { code: 'ERR_NO_LIBC' });
}

/** An Error for a failed call: `TASK: permission denied (EACCES)`, with `code` and the positive `errno`. */
export function systemError(task: string, errno: number): Error {
  const [code, text] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, 'unknown error'];
  return Object.assign(new Error(`${task}: ${text} (${code})`), { code, errno });
}

function tryLoad(): LibcResult {
  if (process.env.HEIMDALL_IO === 'dgram') return { reason: 'HEIMDALL_IO=dgram is set' };
  if (process.platform !== 'linux') return { reason: `not available on ${process.platform}` };
  if (!ARCHITECTURES.includes(process.arch) || endianness() !== 'LE') {
    return { reason: `not available on ${process.arch}` };
  }
  let koffi: Koffi;
  try {
    koffi = commonjs('koffi') as Koffi;
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND';
    return {
      reason: isMissing ? 'koffi is not installed' : `koffi failed: ${firstLine(error)}`,
    };
  }
  try {
    return { libc: declare(koffi) };
  } catch (error) {
    return { reason: `libc failed: ${firstLine(error)}` };
  }
}

function declare(koffi: Koffi): Libc {
  if (typeof koffi.node?.poll !== 'function') throw new Error(`koffi ${koffi.version} cannot poll`);
  const library = koffi.load(null);
  const calls: Record<string, unknown> = {};
  for (const [name, [result, args]] of Object.entries(SIGNATURES)) {
    calls[name] = library.func(name, result, args);
  }
  try {
    calls.mallopt = library.func('mallopt', 'int', ['int', 'int']);
    calls.malloc_trim = library.func('malloc_trim', 'int', ['size_t']);
  } catch {
    // musl has no such calls.
  }
  return {
    ...(calls as unknown as Pick<Libc, Call | GlibcCall>),
    koffiVersion: koffi.version,
    errno: () => koffi.errno(),
    addressOf: (view) => Number(koffi.address(view)),
    watch: (fd, onReadable) => koffi.node.poll(fd, onReadable),
  };
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0] as string;
}

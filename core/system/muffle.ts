// Takes the sockets out of another thread's epoll set, so that nothing wakes it up any more.
import { readFileSync } from 'node:fs';
import { loadLibc } from './libc.js';
import { EPOLL_CTL_DEL, EPOLL_EVENT_BYTES } from './linux.js';

/** What an epoll set watches, as the kernel lists it (proc(5)): `tfd:       21 events: ...`. */
const WATCHED = /^tfd:\s*(\d+)/gm;

/**
 * Makes the epoll set of a thread that hangs watch nothing. Before it is ended by force: koffi calls the thread when the set becomes readable, finds that it may not
 * run any more, and ends the process. Sockets stay open, and what arrives waits in them. Where the kernel does not tell, nothing is done.
 */
export function muffle(epoll: number): void {
  const result = loadLibc();
  if (epoll < 0 || !('libc' in result)) return;
  const event = new Uint8Array(EPOLL_EVENT_BYTES);
  for (const fd of watchedBy(epoll)) result.libc.epoll_ctl(epoll, EPOLL_CTL_DEL, fd, event);
}

function watchedBy(epoll: number): number[] {
  try {
    const text = readFileSync(`/proc/self/fdinfo/${epoll}`, 'utf8');
    return [...text.matchAll(WATCHED)].map(([, fd]) => Number(fd));
  } catch {
    return [];
  }
}

// Hot path. UDP segmentation on send: datagrams of one length to one peer leave as one message that the kernel cuts (UDP_SEGMENT), so that the
// way down the stack is paid once. On loopback 20-30 % more answers when clients are few and busy (a proxy, a resolver with one socket), nothing lost otherwise:
// where grouping does not pay, it is left out for a while.
import { SOCKADDR_BYTES, SOCKADDR4_BYTES } from './address.js';
import type { MmsgBatch } from './batch.js';
import type { Libc } from './libc.js';
import { SOL_UDP, UDP_SEGMENT } from './linux.js';

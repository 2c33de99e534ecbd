// Gives a datagram to the worker that is bound to the processor which received it: a classic BPF program on the sockets of a port.
//
// Not the default. The receiving processor is the one that took the card's interrupt, or on loopback the one that sent: with a card of one queue, all
// interrupts on one processor, or one busy local client, a single worker would get every query while the others idle. The kernel's hash over addresses
// and ports spreads clients whatever the hardware, so steering is for machines with a receive queue per worker, whose operator says so.
import { requireLibc } from './libc.js';
import { SO_ATTACH_REUSEPORT_CBPF, SOL_SOCKET } from './linux.js';

const BPF_LD_W_ABS = 0x20;
const BPF_JEQ_K = 0x15;
const BPF_RET_K = 0x06;
/** SKF_AD_OFF + SKF_AD_CPU: loads from there give the number of the processor. */
const CURRENT_CPU = 0xfffff000 + 36;
/** No socket has this index: the kernel takes its hash. */
const BY_HASH = 0xffffffff;
const INSTRUCTION_BYTES = 8;

/**
 * Steers all sockets that share the port of `fd`. `cpus` names the processor of each, in the order in which they were bound; -1 for one that only the
 * hash should choose. What arrives elsewhere goes by the hash. False when the kernel does not do it; then nothing has changed.
 */
export function steerByCpu(fd: number, cpus: readonly number[]): boolean {
  const libc = requireLibc();
  const program = steeringProgram(cpus);
  // struct sock_fprog: u16 count, 6 bytes of padding, pointer.
  const header = new DataView(new ArrayBuffer(16));
  header.setUint16(0, program.length / INSTRUCTION_BYTES, true);
  header.setBigUint64(8, BigInt(libc.addressOf(program)), true);
  const bytes = new Uint8Array(header.buffer);
  const result = libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, bytes, bytes.length);
  return result === 0;
}

/** `ld cpu; jeq CPU, else next; ret INDEX; ...; ret BY_HASH`: struct sock_filter each. */
function steeringProgram(cpus: readonly number[]): Uint8Array {
  const code: [op: number, jumpFalse: number, k: number][] = [[BPF_LD_W_ABS, 0, CURRENT_CPU]];
  for (const [index, cpu] of cpus.entries()) {
    if (cpu >= 0) code.push([BPF_JEQ_K, 1, cpu], [BPF_RET_K, 0, index]);
  }
  code.push([BPF_RET_K, 0, BY_HASH]);
  // Shared memory does not move: the kernel is given its address.
  const bytes = new Uint8Array(new SharedArrayBuffer(code.length * INSTRUCTION_BYTES));
  const view = new DataView(bytes.buffer);
  for (const [i, [op, jumpFalse, k]] of code.entries()) {
    const o = i * INSTRUCTION_BYTES;
    view.setUint16(o, op, true);
    view.setUint8(o + 3, jumpFalse);
    view.setUint32(o + 4, k, true);
  }
  return bytes;
}

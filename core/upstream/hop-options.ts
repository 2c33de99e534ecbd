// Hot path. EDNS options that concern only the hop to the upstream and go into what is sent, not into the message of an exchange, which
// may go elsewhere next. Both are written behind the options that are there; the OPT record is the last one of a query.
import { EdnsOption } from '../wire/constants.js';
import { findOption, OPTION_BYTES, optionEnd } from '../wire/edns.js';
import { Layout, scanMessage } from '../wire/layout.js';

/** Offset of RDLENGTH in an OPT record: behind the root name, type, class and TTL. */
const RDLENGTH = 9;

/** The time-out in a reply's edns-tcp-keepalive, and its unit (RFC 7828 section 3.1). */
const TIMEOUT_BYTES = 2;
const TIMEOUT_UNIT_MS = 100;

/** Encrypted queries are padded to a multiple of this (RFC 8467 section 4.1). */
const PADDING_BLOCK = 128;

/** The most that all options here add to a message. */
export const HOP_OPTIONS_BYTES = OPTION_BYTES + OPTION_BYTES + PADDING_BLOCK - 1;

/** Of replies, one after the other. */
const layout = new Layout();

/**
 * Asks how long an idle connection is kept (RFC 7828 section 3.2.1) in the message of `length` bytes at `at`, whose OPT is at `optAt`. Gives
 * the new length.
 */
export function addKeepalive(out: Uint8Array, at: number, length: number, optAt: number): number {
  return addOption(out, at + length, optAt, EdnsOption.KEEPALIVE, 0) - at;
}

/** How long a message of `length` bytes is when it is padded. */
export function paddedLength(length: number): number {
  return Math.ceil((length + OPTION_BYTES) / PADDING_BLOCK) * PADDING_BLOCK;
}

/** Pads the message so that its length tells little (RFC 7830). Goes last. Gives the new length. */
export function addPadding(out: Uint8Array, at: number, length: number, optAt: number): number {
  const bytes = paddedLength(length) - length - OPTION_BYTES;
  const end = addOption(out, at + length, optAt, EdnsOption.PADDING, bytes);
  out.fill(0, end - bytes, end);
  return end - at;
}

/** Header of an option with `bytes` of data at `at`; gives the offset behind the data. */
function addOption(
  out: Uint8Array,
  at: number,
  optAt: number,
  code: number,
  bytes: number,
): number {
  out[at] = 0;
  out[at + 1] = code;
  out[at + 2] = 0;
  out[at + 3] = bytes;
  const rdlengthAt = optAt + RDLENGTH;
  const rdlength =
    (((out[rdlengthAt] as number) << 8) | (out[rdlengthAt + 1] as number)) + OPTION_BYTES + bytes;
  out[rdlengthAt] = rdlength >> 8;
  out[rdlengthAt + 1] = rdlength & 255;
  return at + OPTION_BYTES + bytes;
}

/** How long the upstream keeps an idle connection, in ms, if this reply says so (RFC 7828 section 3.3.2); -1 when it does not. */
export function keepaliveMs(wire: Uint8Array): number {
  scanMessage(wire, wire.length, layout);
  if (!layout.isValid || layout.optOffset === 0) return -1;
  const at = findOption(wire, layout.optOffset, EdnsOption.KEEPALIVE);
  if (at === 0 || optionEnd(wire, at) - at !== OPTION_BYTES + TIMEOUT_BYTES) return -1;
  const units =
    ((wire[at + OPTION_BYTES] as number) << 8) | (wire[at + OPTION_BYTES + 1] as number);
  return units * TIMEOUT_UNIT_MS;
}

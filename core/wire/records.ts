// Records as dns-packet objects, for authors of slow paths: its encoder, our names and compression.
import type { Answer } from 'dns-packet';
import { commonjs } from '../system/commonjs.js';
import type { MessageBuilder, Section } from './builder.js';
import { parseName, skipName } from './name.js';

const HEADER_BYTES = 12;

/** Loaded by the first record that needs it: most servers never make one this way. */
let dnsPacket: typeof import('dns-packet') | undefined;

/**
 * Adds a record given as a dns-packet object; false when it did not fit. The owner may have escapes; names in rdata may not, because
 * dns-packet has none. Throws on what dns-packet cannot encode and on bad names.
 */
export function addDecoded(builder: MessageBuilder, section: Section, record: Answer): boolean {
  dnsPacket ??= commonjs('dns-packet') as typeof import('dns-packet');
  const message = dnsPacket.encode({ answers: [{ ...record, name: '.' }] });
  const typeAt = skipName(message, HEADER_BYTES, message.length);
  return builder.addRecord(
    section,
    parseName(record.name),
    message.readUInt16BE(typeAt),
    message.readUInt16BE(typeAt + 2),
    message.readUInt32BE(typeAt + 4),
    message.subarray(typeAt + 10),
  );
}

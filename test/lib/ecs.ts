// Client subnets (RFC 7871) of queries and replies, for tests.
import type { Packet } from 'dns-packet';
import { EcsFamily, EdnsOption, parseAddress, type Query } from '../../core/plugin.js';
import type { QueryOptions } from '../../core/testing.js';

type Record = NonNullable<Packet['additionals']>[number];

/** The option of a client that asks for a network, `ADDRESS/BITS`. */
export function withNetwork(network: string): QueryOptions {
  return { options: [[EdnsOption.ECS, networkData(network)]] };
}

/** Family, source, scope 0 and the address, masked. */
export function networkData(network: string): Uint8Array {
  const [address = '', prefix = '0'] = network.split('/');
  const bits = Number(prefix);
  const bytes = parseAddress(address);
  const octets = bytes.slice(0, (bits + 7) >> 3);
  const last = octets.length - 1;
  if ((bits & 7) !== 0) octets[last] = (octets[last] as number) & (0xff << (8 - (bits & 7)));
  return Uint8Array.of(0, bytes.length === 4 ? 1 : 2, bits, 0, ...octets);
}

/** The OPT of an upstream that answers `q` for a network of `scope` bits; one without options when `q` asks for no network. */
export function ecsOption(q: Query, scope: number): Record {
  const { ecsFamily: family, ecsSource: source, ecsAddress } = q;
  const octets = ecsAddress.subarray(0, (source + 7) >> 3);
  const data = Buffer.from([0, family, source, scope, ...octets]);
  return optRecord(family === EcsFamily.NONE ? undefined : data);
}

/** An OPT with this client subnet. */
export function optRecord(data: Uint8Array | undefined, extendedRcode = 0): Record {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 1232,
    extendedRcode,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: data === undefined ? [] : [{ code: EdnsOption.ECS, data: Buffer.from(data) }],
  } as unknown as Record;
}

/** The data of a message's client subnet, undefined without one. */
export function networkOf(message: Packet): Buffer | undefined {
  return optionsOf(message)?.find(({ code }) => code === EdnsOption.ECS)?.data;
}

/** The options of a message's OPT, undefined without one. */
export function optionsOf(
  message: Packet,
): readonly { readonly code: number; readonly data: Buffer }[] | undefined {
  const opt = message.additionals?.find((record) => record.type === 'OPT');
  return (opt as unknown as { options?: { code: number; data: Buffer }[] } | undefined)?.options;
}

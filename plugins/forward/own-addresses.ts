// Which upstreams are this server itself: the addresses and ports it listens on, where a listener on every address stands for all that the machine has.
import { networkInterfaces } from 'node:os';
import { parseAddress } from '../../core/plugin.js';
import type { AddressTarget } from './targets.js';

/** An address of the machine. */
export interface LocalAddress {
  readonly address: string;
  /** Name and number of the interface it is on; a link-local address is another one on another interface. */
  readonly zones: readonly string[];
}

interface Listener {
  readonly scheme: string;
  /** Undefined for every address of the machine of its family. */
  readonly address: string | undefined;
  /** 4, 16, or undefined for both. */
  readonly bytes: number | undefined;
  readonly port: number;
}

export class OwnAddresses {
  readonly #listeners: readonly Listener[];
  readonly #local: () => readonly LocalAddress[];

  /** `listeners` are those of the process as `dns://127.0.0.1:53`; `local` gives what the machine has, which is asked each time: it changes. */
  constructor(listeners: readonly string[], local = localAddresses) {
    this.#listeners = listeners.map(listenerOf).filter((listener) => listener !== undefined);
    this.#local = local;
  }

  /** Whether messages to `target` would come here. */
  has(target: AddressTarget): boolean {
    const [address, zone] = normalized(target.address);
    const own = addressed(address);
    return this.#listeners.some((listener) => {
      if (listener.scheme !== target.scheme || listener.port !== target.port) return false;
      if (listener.address === undefined) {
        return (listener.bytes ?? own.bytes) === own.bytes && this.#isLocal(own.address, zone);
      }
      const [listened, listenedZone] = normalized(listener.address);
      return listened === own.address && (listenedZone === zone || listenedZone === '');
    });
  }

  #isLocal(address: string, zone: string): boolean {
    if (address.startsWith('127,') && address.split(',').length === 4) return true;
    return this.#local().some((local) => {
      if (normalized(local.address)[0] !== address) return false;
      return zone === '' || local.zones.includes(zone);
    });
  }
}

const LISTENER = /^([a-z]+):\/\/(?:\[(.+)\]|([^[\]]*)):(\d+)$/;

function listenerOf(text: string): Listener | undefined {
  const match = LISTENER.exec(text);
  if (match === null) return undefined;
  const [, scheme = '', six, four = '', digits] = match;
  const written = six ?? four;
  const port = Number(digits);
  if (written === '') return { scheme, address: undefined, bytes: undefined, port };
  const bytes = parseAddress(written);
  const isEvery = bytes.every((byte) => byte === 0);
  return { scheme, address: isEvery ? undefined : written, bytes: bytes.length, port };
}

/** The bytes of an address as text, IPv4 where it is IPv4 in IPv6, and its zone or ''. */
function normalized(text: string): [address: string, zone: string] {
  const bytes = parseAddress(text);
  const isMapped =
    bytes.length === 16 &&
    bytes.subarray(0, 10).every((byte) => byte === 0) &&
    bytes[10] === 0xff &&
    bytes[11] === 0xff;
  const percent = text.indexOf('%');
  return [
    (isMapped ? bytes.subarray(12) : bytes).join(),
    percent < 0 ? '' : text.slice(percent + 1),
  ];
}

/** Where a message to this address goes, and of how many bytes that is: one to no address at all comes to the machine itself. */
function addressed(address: string): { readonly address: string; readonly bytes: number } {
  const bytes = address.split(',').length;
  if (/[1-9]/.test(address)) return { address, bytes };
  return { address: normalized(bytes === 4 ? '127.0.0.1' : '::1')[0], bytes };
}

function localAddresses(): readonly LocalAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.map((info) => ({
      address: info.address,
      zones: info.family === 'IPv6' ? [name, String(info.scopeid)] : [name],
    })),
  );
}

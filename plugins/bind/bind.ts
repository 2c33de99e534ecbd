// Addresses and interface names, resolved when the configuration is read.
import { isIP, SocketAddress } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import {
  directive,
  either,
  type Field,
  type Syntax,
  ValueError,
  value,
} from '../../core/plugin.js';

/** Interfaces that are up, by name, as `os.networkInterfaces` gives them. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** fe80::/10 (RFC 4291 2.5.6): the same address may be on several links. */
const LINK_LOCAL = /^fe[89ab]/i;

/**
 * The config of one *bind* line, or of the whole block's: the addresses left after `except`, each once, in written order. `interfaces` is
 * asked at every reading.
 */
export function bindSyntax(
  interfaces: () => Interfaces = networkInterfaces,
): Syntax<readonly string[]> {
  const addresses = addressesOf(interfaces);
  const lines = directive({
    args: { addresses: addresses.list() },
    block: { except: addresses.list().or([]) },
    check: (line) =>
      remaining(line).length > 0
        ? undefined
        : { at: 'except', message: 'nothing is left to listen on, want fewer exceptions' },
  }).many();
  return {
    ...lines,
    parse: (occurrences, context, problems) =>
      lines
        .parse(occurrences, context, problems)
        .map((configs) => [...new Set(configs.flatMap(remaining))]),
  };
}

interface Line {
  readonly addresses: readonly (readonly string[])[];
  readonly except: readonly (readonly string[])[];
}

function remaining({ addresses, except }: Line): string[] {
  const excluded = new Set(except.flat());
  return addresses.flat().filter((address) => !excluded.has(address));
}

/** All addresses that one word stands for. */
function addressesOf(interfaces: () => Interfaces): Field<readonly string[]> {
  return value((text) => {
    const all = interfaces();
    const named = Object.hasOwn(all, text) ? all[text] : undefined;
    if (named !== undefined) return named.map((info) => withZone(info.address, text));
    if (isIP(text) !== 0) return [numeric(text, all)];
    throw new ValueError(
      `want an IP address or one of the interfaces: ${Object.keys(all).join(', ')}`,
      'is neither an address nor an interface that is up',
    );
  }, 'an IP address or an interface');
}

/** The address in its canonical spelling, so that an address written in two ways is one. */
function numeric(text: string, all: Interfaces): string {
  const [address = '', zone] = text.split('%');
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  const canonical = new SocketAddress({ address, family }).address;
  if (!LINK_LOCAL.test(canonical)) {
    if (zone === undefined) return canonical;
    throw new ValueError('want it without one', 'has a zone but is not link-local');
  }
  const links = Object.keys(all);
  if (zone !== undefined) {
    if (links.includes(zone)) return withZone(canonical, zone);
    throw new ValueError(`want one of ${links.join(', ')} after %`, 'names no interface');
  }
  const holders = links.filter((name) => all[name]?.some((info) => info.address === canonical));
  if (holders.length === 1) return withZone(canonical, holders[0] as string);
  const choice = holders.length === 0 ? links : holders;
  throw new ValueError(
    `want ${either(choice.map((name) => `${canonical}%${name}`))}`,
    'is link-local',
  );
}

function withZone(address: string, name: string): string {
  return LINK_LOCAL.test(address) ? `${address}%${name}` : address;
}

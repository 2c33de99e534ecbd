// The *ecs* directive.
import { definePlugin, directive, integer, oneOf, tuple, zones } from '../../core/plugin.js';
import { EcsHandler, type EcsMode, type EcsOptions } from './ecs.js';

/** Bits of IPv4 and IPv6 addresses: what RFC 7871 section 11.1 recommends at most, and a region of a provider. */
const PREFIXES = [24, 56] as const;
const COARSE_PREFIXES = [16, 40] as const;

interface EcsConfig {
  readonly mode: EcsMode;
  readonly prefix: readonly [number, number | undefined] | undefined;
  readonly domains: readonly string[] | undefined;
}

export default definePlugin({
  name: 'ecs',
  syntax: directive({
    args: { mode: oneOf('off', 'forward', 'add', 'coarse').or('forward') },
    block: {
      prefix: tuple(
        integer({ min: 0, max: 32 }).named('V4'),
        integer({ min: 0, max: 64 }).optional().named('V6'),
      ).optional(),
      domains: zones().optional(),
    },
    check: ({ mode, prefix, domains }) => {
      if (mode !== 'off' || (prefix === undefined && domains === undefined)) return undefined;
      const at = prefix === undefined ? 'domains' : 'prefix';
      return { at, message: `${at} has no meaning with off, want a mode that tells networks` };
    },
  }).once(),
  setup: (config, services) => new EcsHandler(optionsOf(config), services),
});

/** The configuration with the defaults of its mode. */
export function optionsOf({ mode, prefix, domains }: EcsConfig): EcsOptions {
  const [ipv4, ipv6] = mode === 'coarse' ? COARSE_PREFIXES : PREFIXES;
  return { mode, ipv4: prefix?.[0] ?? ipv4, ipv6: prefix?.[1] ?? ipv6, domains };
}

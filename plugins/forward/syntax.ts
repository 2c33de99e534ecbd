// What a Corefile may say of *forward*: arguments, properties, defaults and what does not go together.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  type ConfigToken,
  custom,
  directive,
  duration,
  file,
  flag,
  integer,
  ip,
  NameError,
  number,
  oneOf,
  parseDuration,
  parseName,
  Rcode,
  rcodeFromName,
  type Syntax,
  type SyntaxContext,
  tuple,
  ValueError,
  value,
  zones,
  zonesOfArgument,
} from '../../core/plugin.js';
import { POLICY_NAMES, type PolicyName } from './policy.js';
import { readResolvConf } from './resolv-conf.js';
import { isServername, parseTarget, type Target, targetText } from './targets.js';
import { withWeights } from './weights.js';

/** TO arguments of one *forward*; CoreDNS's limit. */
const MAX_TARGETS = 15;

/** Rcodes beyond these are in OPT and not looked at. */
const MAX_HEADER_RCODE = 15;

/** Upstreams that one query is sent to at once. */
const MAX_PARALLEL = 4;

/** Percent of queries that may go to a second upstream as well, with the policy that chooses by speed; the others say who is asked. */
const FASTEST_HEDGE = 5;

/** How often what was learned is written, unless told otherwise. */
const PERSIST_MS = 300_000;
const MIN_PERSIST_MS = 1000;
const MAX_PERSIST_MS = 86_400_000;

/** How long an idle connection is kept, and the longest that it is kept because the upstream said so; `expire` stands for both. */
const EXPIRE_MS = 10_000;
const MAX_EXPIRE_MS = 120_000;

/** What `tls_pin` takes: SHA-256 of a public key in base64. */
const PIN_PREFIX = 'sha256/';
const PIN = /^[A-Za-z0-9+/]{43}=$/;

/** Paths of PEM files. */
export interface TlsFiles {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly ca: string | undefined;
}

/** What a probe asks. */
export interface ProbeOptions {
  readonly recursionDesired: boolean;
  /** In wire form. */
  readonly domain: Uint8Array;
}

const ROOT = Uint8Array.of(0);
const DEFAULT_PROBE: ProbeOptions = { recursionDesired: true, domain: ROOT };

export const forwardSyntax = directive({
  args: {
    from: value((text) => zonesOfArgument(text), 'a zone name or network'),
    to: withWeights(value(parseTarget, 'an upstream').list()),
  },
  block: {
    except: zones({ min: 1 }).or([]),
    force_tcp: flag(),
    prefer_udp: flag(),
    no_0x20: flag(),
    expire: duration().optional(),
    max_age: duration().or(0),
    max_idle_conns: integer({ min: 0 }).or(0),
    max_fails: integer({ min: 0 }).or(2),
    max_connect_attempts: integer({ min: 0 }).optional(),
    read_timeout: duration({ min: 1 }).or(2000),
    tls: custom(parseTlsFiles).optional(),
    tls_servername: value(parseServername, 'the name in a certificate').or(''),
    tls_pin: value(parsePin, 'a public key such as sha256/...').list().or([]),
    tls_insecure: flag(),
    policy: value(parsePolicy, 'a policy').or('fastest'),
    health_check: tuple(duration(), custom(parseProbe)).or([500, DEFAULT_PROBE] as const),
    max_concurrent: integer({ min: 0 }).or(0),
    next: value(parseNextRcode, 'an rcode').list().or([]),
    next_on_nodata: flag(),
    failfast_all_unhealthy_upstreams: flag(),
    failover: value(parseFailoverRcode, 'an rcode').list().or([]),
    source_address: ip().optional(),
    resolver: value(parseResolver, 'an address').list().or([]),
    parallel: integer({ min: 1, max: MAX_PARALLEL }).or(1),
    hedge: number({ min: 0, max: 100 }).optional(),
    log_disagreements: flag(),
    persist: tuple(
      file().named('PATH'),
      value(parseInterval, 'a duration such as 5m').or(PERSIST_MS).named('INTERVAL'),
    ).optional(),
    doh_method: oneOf('POST', 'GET').or('POST'),
  },
  check: (config) => {
    if (config.to.length > MAX_TARGETS) {
      return `${config.to.length} upstreams are too many, want at most ${MAX_TARGETS}`;
    }
    // Only files can name nothing, and one of them alone does no harm.
    if (config.to.every((target) => target.kind === 'file' && namesNothing(target.path))) {
      return 'no upstream is left: the files name no nameserver';
    }
    if (config.policy === 'sequential' && config.to.some(({ weight }) => weight !== undefined)) {
      return { at: 'policy', message: 'sequential has no use for weight, want another policy' };
    }
    if (config.parallel > 1 && config.hedge !== undefined) {
      return { at: 'hedge', message: 'parallel sends every query to several, want one of the two' };
    }
    if (config.max_age > 0 && config.max_age < (config.expire ?? EXPIRE_MS)) {
      return { at: 'max_age', message: 'max_age is shorter than expire, want at least as long' };
    }
    const trust = trustProblem(config);
    if (trust !== undefined) return trust;
    for (const target of config.to) {
      if (target.kind !== 'address' || target.servername === '' || config.tls_servername === '') {
        continue;
      }
      const both = `"${config.tls_servername}" and "${target.servername}"`;
      return {
        at: 'tls_servername',
        message: `${both} are both set for upstream ${targetText(target)}, want one of them`,
      };
    }
    return undefined;
  },
});

/** The configuration of one *forward* line. */
export type ForwardConfig = typeof forwardSyntax extends Syntax<infer C> ? C : never;

/** How long idle connections are kept, unless and although the upstream says how long it keeps them. */
export function idleTimes({ expire }: ForwardConfig): {
  readonly expireMs: number;
  readonly maxExpireMs: number;
} {
  return { expireMs: expire ?? EXPIRE_MS, maxExpireMs: expire ?? MAX_EXPIRE_MS };
}

/** Share of queries that may be hedged, 0..1. */
export function hedgeShare({ hedge, policy, parallel }: ForwardConfig): number {
  if (parallel > 1) return 0;
  return (hedge ?? (policy === 'fastest' ? FASTEST_HEDGE : 0)) / 100;
}

/** Bit n for rcode n. */
export function rcodeMask(rcodes: readonly number[]): number {
  return rcodes.reduce((mask, rcode) => mask | (1 << rcode), 0);
}

/** A file that cannot be read is reported when its upstreams are wanted, with the reason. */
function namesNothing(path: string): boolean {
  try {
    return readResolvConf(path).length === 0;
  } catch {
    return false;
  }
}

function parsePolicy(text: string): PolicyName {
  const policy = POLICY_NAMES.find((name) => name === text);
  if (policy !== undefined) return policy;
  throw ValueError.whole(`unknown policy "${text}", want ${POLICY_NAMES.join(', ')}`);
}

function parseNextRcode(text: string): number {
  const rcode = rcodeFromName(text);
  if (rcode === undefined || rcode > MAX_HEADER_RCODE) {
    throw new ValueError('want one such as SERVFAIL or NXDOMAIN', 'is not a valid rcode');
  }
  return rcode;
}

function parseFailoverRcode(text: string): number {
  const rcode = parseNextRcode(text);
  if (rcode !== Rcode.NOERROR) return rcode;
  throw ValueError.whole('NoError cannot be used in failover, want an error such as SERVFAIL');
}

/** `[CERT KEY] [CA]`: one file is the authority, two are our own certificate, three both. */
function parseTlsFiles(args: readonly ConfigToken[], context: SyntaxContext): TlsFiles {
  if (args.length > 3) {
    throw new ValueError('want at most CERT KEY CA', 'is one file too many', args[3]);
  }
  const paths = args.map((token) => {
    const path = resolve(context.root, token.text);
    if (existsSync(path)) return path;
    throw new ValueError('want a PEM file', 'does not exist', token);
  });
  const [first, second, third] = paths;
  if (paths.length === 1) return { cert: undefined, key: undefined, ca: first };
  return { cert: first, key: second, ca: third };
}

/** 0, for at the stop alone, or an interval. */
function parseInterval(text: string): number {
  const ms = text === '0' ? 0 : parseDuration(text);
  if (ms === undefined) throw new ValueError('want one such as 5m', 'is not a duration');
  if (ms === 0 || (ms >= MIN_PERSIST_MS && ms <= MAX_PERSIST_MS)) return ms;
  throw new ValueError('want 0 or 1s..24h', 'is out of range');
}

interface TrustConfig {
  readonly to: readonly Target[];
  readonly tls: TlsFiles | undefined;
  readonly tls_pin: readonly string[];
  readonly tls_insecure: boolean;
}

/** What is wrong with who is to be trusted over TLS. */
function trustProblem(
  config: TrustConfig,
): { at: 'tls_pin' | 'tls_insecure'; message: string } | undefined {
  const { to, tls, tls_pin, tls_insecure } = config;
  if (tls_pin.length === 0 && !tls_insecure) return undefined;
  const at = tls_insecure ? 'tls_insecure' : 'tls_pin';
  if (!to.some((target) => target.kind !== 'file' && target.scheme !== 'dns')) {
    return { at, message: 'no upstream is asked over TLS, want tls:// or https://' };
  }
  if (!tls_insecure) return undefined;
  if (tls_pin.length > 0) return { at, message: 'tls_pin says whom to trust, want one of the two' };
  if (tls?.ca === undefined) return undefined;
  return { at, message: 'the CA of tls says whom to trust, want one of the two' };
}

/** `sha256/BASE64`; gives the second part. */
function parsePin(text: string): string {
  const pin = text.startsWith(PIN_PREFIX) ? text.slice(PIN_PREFIX.length) : '';
  if (PIN.test(pin)) return pin;
  throw new ValueError(
    'want sha256/ and 44 characters of base64',
    'is not the hash of a public key',
  );
}

function parseServername(text: string): string {
  if (isServername(text)) return text;
  throw new ValueError('want a host name', 'is no name that a certificate can have');
}

/** `[no_rec] [domain FQDN]` behind the interval. */
function parseProbe(args: readonly ConfigToken[]): ProbeOptions {
  let { recursionDesired, domain } = DEFAULT_PROBE;
  for (let i = 0; i < args.length; i++) {
    const token = args[i] as ConfigToken;
    if (token.text === 'no_rec') {
      recursionDesired = false;
    } else if (token.text === 'domain') {
      const name = args[++i];
      if (name === undefined) throw ValueError.whole('domain is not followed by a name', token);
      domain = parseDomain(name);
    } else {
      throw new ValueError('want no_rec or domain FQDN', 'is not an option of a probe', token);
    }
  }
  return { recursionDesired, domain };
}

function parseDomain(token: ConfigToken): Uint8Array {
  try {
    return parseName(token.text);
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    throw new ValueError('want a name such as example.org', 'is not a domain name', token);
  }
}

/** A DNS server that host names among the upstreams are looked up with: `IP[:PORT]`. */
function parseResolver(text: string, context: SyntaxContext): string {
  const target = parseTarget(text, context);
  if (target.kind !== 'address' || target.scheme !== 'dns') {
    throw new ValueError('want IP[:PORT]', 'is not an IP address');
  }
  return targetText(target);
}

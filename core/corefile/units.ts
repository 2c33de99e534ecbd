// Durations and sizes as operators write them: `1h30m`, `250ms`, `64MB`, `512KiB`.

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Decimal and binary multiples are told apart as IEC 80000-13 does; a bare letter is binary, as for shells and systemd. */
const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  kb: 1e3,
  kib: 2 ** 10,
  m: 2 ** 20,
  mb: 1e6,
  mib: 2 ** 20,
  g: 2 ** 30,
  gb: 1e9,
  gib: 2 ** 30,
  t: 2 ** 40,
  tb: 1e12,
  tib: 2 ** 40,
};

const DURATION = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/;
const DURATION_PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;
const SIZE = /^(\d+(?:\.\d+)?)([kmgt]?i?b?)$/i;

/** Milliseconds of a duration in Go's notation, where only `0` needs no unit; undefined when it is not one. */
export function parseDuration(text: string): number | undefined {
  if (/^[+-]?0+$/.test(text)) return 0;
  if (!DURATION.test(text)) return undefined;
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(DURATION_PART)) {
    ms += Number(amount) * (DURATION_UNITS_MS[unit as string] as number);
  }
  return text.startsWith('-') ? -ms : ms;
}

/** A duration in the largest unit that leaves a whole number: 90000 is `90s`, 60000 `1m`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  for (const unit of ['h', 'm', 's', 'ms', 'us', 'ns']) {
    const amount = ms / (DURATION_UNITS_MS[unit] as number);
    if (Number.isInteger(amount)) return `${amount}${unit}`;
  }
  return `${ms}ms`;
}

/** Whole bytes of a size; undefined when it is not one. Units in any case. */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text);
  const unit = SIZE_UNITS[(match?.[2] ?? 'none').toLowerCase()];
  return match === null || unit === undefined ? undefined : Math.round(Number(match[1]) * unit);
}

/** A size in the largest binary unit that leaves a whole number: 1048576 is `1MiB`. */
export function formatSize(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const amount = bytes / (SIZE_UNITS[unit.toLowerCase()] as number);
    if (amount >= 1 && Number.isInteger(amount)) return `${amount}${unit}`;
  }
  return `${bytes}B`;
}

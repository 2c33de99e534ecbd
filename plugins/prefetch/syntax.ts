// What a Corefile may say of *prefetch*: arguments, properties and defaults. *cache* has the arguments as a property of its own.
import {
  directive,
  duration,
  Field,
  file,
  integer,
  parseDuration,
  type Syntax,
  tuple,
  ValueError,
  value,
} from '../../core/plugin.js';

/** CoreDNS's defaults. */
export const MAX_PAUSE_MS = 60_000;
export const PERCENT = 10;

/** One use is enough where nothing is said: what is hit near its end will be asked for again oftener than not. */
export const AMOUNT = 1;

/** At half, two refreshes spare one client its wait. */
const SHARE = 50;

/** Of the most, 8 MB, a look for what is due takes a tenth of a millisecond a second; after a restart all are looked at within half a minute. */
const MAX_NAMES = 100_000;
const MIN_NAMES = 100;
const NAMES = 10_000;

/** More than a network of thousands needs, and little for an upstream. */
const BUDGET = 100;
const MAX_BUDGET = 100_000;

/** As for *cache*. */
const PERSIST_MS = 300_000;
const MIN_PERSIST_MS = 1000;
const MAX_PERSIST_MS = 86_400_000;

/** The arguments of CoreDNS's property. */
export const amount: Field<number> = integer({ min: 0 }).named('AMOUNT');
export const pause: Field<number> = inPlace(duration()).named('DURATION');
export const percentage: Field<number> = value((text) => {
  const percent = percentOf(text);
  if (percent >= 10 && percent <= 90) return percent;
  throw new ValueError('want 10%..90%', 'is not a percentage in range');
}, 'a percentage such as 10%').named('PERCENTAGE');

export const prefetchSyntax = directive({
  args: {
    amount: inPlace(amount).optional(),
    pause: pause.optional(),
    percentage: percentage.optional(),
  },
  block: {
    timer: value(parseShare, 'off or a percentage such as 50%').or(SHARE),
    names: integer({ min: MIN_NAMES, max: MAX_NAMES }).or(NAMES),
    budget: value(parseBudget, 'off or refreshes a second').or(BUDGET),
    persist: tuple(
      file().named('PATH'),
      inPlace(value(parseInterval, 'a duration such as 5m')).or(PERSIST_MS).named('INTERVAL'),
    ).optional(),
  },
  check: ({ timer, persist }) =>
    timer === null && persist !== undefined
      ? { at: 'persist', message: 'persist has nothing to keep with timer off' }
      : undefined,
}).once();

/** The configuration of one *prefetch*; null is off. */
export type PrefetchConfig = typeof prefetchSyntax extends Syntax<infer C> ? C : never;

/** The field, but never skipped for a token that looks like another kind. */
export function inPlace<T>(field: Field<T>): Field<T> {
  const reader = { ...field.reader, looksLike: () => true };
  return new Field<T>(reader, field.absent, field.combine, field.label);
}

function percentOf(text: string): number {
  return /^\d{1,3}%$/.test(text) ? Number(text.slice(0, -1)) : Number.NaN;
}

/** Null for off. */
function parseShare(text: string): number | null {
  if (text === 'off') return null;
  const percent = percentOf(text);
  if (percent >= 5 && percent <= 100) return percent;
  throw new ValueError('want off or 5%..100%', 'is no share');
}

/** Null for off. */
function parseBudget(text: string): number | null {
  if (text === 'off') return null;
  const budget = /^\d+$/.test(text) ? Number(text) : 0;
  if (budget >= 1 && budget <= MAX_BUDGET) return budget;
  throw new ValueError(`want off or 1..${MAX_BUDGET}`, 'is no budget');
}

/** 0 for at the stop alone. */
function parseInterval(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new ValueError('want one such as 5m', 'is not a duration');
  if (ms === 0 || (ms >= MIN_PERSIST_MS && ms <= MAX_PERSIST_MS)) return ms;
  throw new ValueError('want 0 or 1s..24h', 'is out of range');
}

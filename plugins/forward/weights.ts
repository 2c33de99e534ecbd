// `weight=N` behind an upstream: how often it is asked, compared with the others.
import { Field, ValueError } from '../../core/plugin.js';
import type { Target } from './targets.js';

/** Weights up to this; with 31 upstreams their sum is well within what random numbers are drawn from. */
const MAX_WEIGHT = 100;

const PREFIX = 'weight=';

/** What `weight` is of those without one. */
export const DEFAULT_WEIGHT = 1;

/** The upstreams that `targets` reads, where `weight=N` may follow any of them. */
export function withWeights(targets: Field<readonly Target[]>): Field<readonly Target[]> {
  const { reader, absent, combine, label } = targets;
  return new Field<readonly Target[]>(
    {
      min: reader.min,
      max: reader.max,
      want: reader.want,
      looksLike: (text, context) => reader.looksLike(text, context),
      read(tokens, reading, name, anchor) {
        const read: Target[] = [];
        for (const token of tokens) {
          if (!token.text.startsWith(PREFIX)) {
            read.push(...(reader.read([token], reading, name, anchor) as readonly Target[]));
            continue;
          }
          const weight = reading.attempt(token, name, () => parseWeight(token.text));
          const target = read.pop();
          if (target === undefined) reading.fail(token, `"${token.text}" follows no upstream`);
          else read.push(Object.freeze({ ...target, weight }));
        }
        return Object.freeze(read);
      },
    },
    absent,
    combine,
    label,
  );
}

/** Gives what `from` stands for the weight that was written behind it. */
export function weighted<T extends Target>(target: T, from: { readonly weight?: number }): T {
  return from.weight === undefined ? target : { ...target, weight: from.weight };
}

function parseWeight(text: string): number {
  const weight = Number(text.slice(PREFIX.length));
  if (Number.isInteger(weight) && weight >= 1 && weight <= MAX_WEIGHT) return weight;
  throw new ValueError(`want weight=1..${MAX_WEIGHT}`, 'is not a weight');
}

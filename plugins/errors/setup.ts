// The *errors* directive.
import {
  compileRegex,
  definePlugin,
  directive,
  duration,
  either,
  flag,
  oneOf,
  tuple,
  ValueError,
  value,
} from '../../core/plugin.js';
import { ErrorsHandler, type Level } from './errors.js';

const DAY_MS = 24 * 3_600_000;

/** Long enough that a lasting failure writes few lines, short enough that an operator who looks sees it. */
const REPEATS_MS = 10_000;

const LEVELS: readonly Level[] = ['error', 'warning', 'info', 'debug'];

/** Whatever is not `show_first` is meant as a level, so that a wrong one is told what levels there are. */
const level = value<Level>(
  (text) => {
    const found = LEVELS.find((known) => known === text);
    if (found === undefined) throw new ValueError(`want ${either(LEVELS)}`);
    return found;
  },
  either(LEVELS),
  (text) => text !== 'show_first',
);

const pattern = value(
  (text) => ({ text, regex: compileRegex(text) }),
  'a regular expression',
  () => true,
);

export default definePlugin({
  name: 'errors',
  syntax: directive({
    args: { output: oneOf('stdout').optional() },
    block: {
      stacktrace: flag(),
      consolidate: tuple(
        duration({ min: 1, max: DAY_MS }).named('DURATION'),
        pattern.named('REGEXP'),
        level.or('error').named('LEVEL'),
        oneOf('show_first').optional(),
      ).many(),
      repeats: duration({ max: DAY_MS }).or(REPEATS_MS),
    },
  }).once(),
  configure({ stacktrace }, settings) {
    if (stacktrace) settings.withStacks = true;
  },
  setup({ consolidate, repeats }, services) {
    const consolidations = consolidate.map(([periodMs, { text, regex }, level, showFirst]) => ({
      periodMs,
      pattern: regex,
      patternText: text,
      level,
      showsFirst: showFirst !== undefined,
    }));
    return new ErrorsHandler({ consolidations, repeatsMs: repeats }, services);
  },
});

// The *errors* directive.
import {
  compileRegex,
  definePlugin,
  directive,
  duration,
  flag,
  oneOf,
  tuple,
  value,
} from '../../core/plugin.js';
import { ErrorsHandler } from './errors.js';

const DAY_MS = 24 * 3_600_000;

/** Long enough that a lasting failure writes few lines, short enough that an operator who looks sees it. */
const REPEATS_MS = 10_000;

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
        oneOf('error', 'warning', 'info', 'debug').or('error').named('LEVEL'),
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

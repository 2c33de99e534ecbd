// The *log* directive: every occurrence adds rules, one per name, to the one handler of the server block.
import {
  type ConfigToken,
  custom,
  definePlugin,
  directive,
  formatName,
  NameError,
  oneOf,
  parseName,
  ValueError,
} from '../../core/plugin.js';
import { compileFormat } from './format.js';
import { logHandler, ReplyClass } from './log.js';

interface NamesAndFormat {
  readonly names: readonly string[];
  readonly format: string;
}

export default definePlugin({
  name: 'log',
  syntax: directive({
    args: { what: custom(readArguments) },
    block: {
      class: oneOf('success', 'denial', 'error', 'all')
        .list()
        .or(['all'] as const),
    },
  }).many(),
  setup(occurrences, { log, servers }) {
    const rules = occurrences.flatMap(({ what, class: classes }) => {
      const format = compileFormat(what.format, servers);
      const set = classes.reduce((bits, name) => bits | ReplyClass[name], 0);
      for (const name of what.names) {
        if (name.includes('{'))
          log.warning(`"${name}" is a name here, a format needs a name before it`);
      }
      return what.names.map((name) => ({ name, format, classes: set }));
    });
    return logHandler(rules, log);
  },
});

/** The last of two or more arguments is the format when it has a brace, as in CoreDNS; everything else is a name. */
function readArguments(args: readonly ConfigToken[]): NamesAndFormat {
  const last = args[args.length - 1]?.text ?? '';
  const hasFormat = args.length >= 2 && last.includes('{');
  const names = (hasFormat ? args.slice(0, -1) : args).map(readName);
  return { names: names.length === 0 ? ['.'] : names, format: hasFormat ? last : '{common}' };
}

function readName(token: ConfigToken): string {
  try {
    return formatName(parseName(token.text), 0).toLowerCase();
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    throw new ValueError('want a name such as example.org', 'is not a domain name', token);
  }
}

// Environment variables in tokens: `{%NAME%}` and then `{$NAME}`, as often as they occur.

export type Environment = Readonly<Record<string, string | undefined>>;

/** Values may hold references themselves. Two that name each other would never end; no honest chain is this long. */
const MAX_ROUNDS = 100;

/** A value that doubles itself in each round must not fill the memory before the rounds are over. */
const MAX_CHARACTERS = 1 << 20;

/**
 * `text` with every reference replaced, an unset variable by nothing; undefined when the replacing does not come to an end. An empty
 * reference (`{$}`) and all that follows it in the token stay as they are.
 */
export function expandEnvironment(text: string, env: Environment): string | undefined {
  if (!text.includes('{$') && !text.includes('{%')) return text;
  const expanded = replaceReferences(text, '{%', '%}', env);
  return expanded === undefined ? undefined : replaceReferences(expanded, '{$', '}', env);
}

function replaceReferences(
  text: string,
  open: string,
  close: string,
  env: Environment,
): string | undefined {
  let current = text;
  for (let round = 0; current.length <= MAX_CHARACTERS && round < MAX_ROUNDS; round++) {
    const start = current.indexOf(open);
    if (start === -1) return current;
    const end = current.indexOf(close, start);
    if (end <= start + open.length) return current;
    const reference = current.slice(start, end + close.length);
    const name = reference.slice(open.length, -close.length);
    // A function, because `$` means something in a replacement string.
    current = current.replaceAll(reference, () => env[name] ?? '');
  }
  return undefined;
}

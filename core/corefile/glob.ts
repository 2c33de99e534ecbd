// File patterns of `import`, as Go's filepath.Glob reads them with CoreDNS's limits: at most one `*` and one `?`, no `[...]`.
import { isAbsolute, join } from 'node:path';

/** What imports need of a file system; the real one, or a test's. Each may throw as node:fs does. */
export interface FileReader {
  read(path: string): string;
  /** Names in a directory, in any order. */
  list(path: string): readonly string[];
  exists(path: string): boolean;
}

/** Whether the pattern may match several files, or none without that being an error. */
export function hasWildcard(pattern: string): boolean {
  return /[*?]/.test(pattern);
}

/** Why the pattern is refused, '' when it is not. */
export function patternProblem(pattern: string): string {
  if (pattern.includes('[') && pattern.includes(']')) return 'holds a character class';
  const isSimple = pattern.split('*').length <= 2 && pattern.split('?').length <= 2;
  return isSimple ? '' : 'has too many wildcards';
}

/** The files that match, sorted. A `*` matches within one path segment and a leading dot too, as in Go. */
export function glob(pattern: string, directory: string, files: FileReader): string[] {
  let found = [isAbsolute(pattern) ? '/' : directory];
  const segments = pattern.split('/').filter((segment) => segment !== '');
  for (const segment of segments) {
    if (!hasWildcard(segment)) {
      found = found.map((path) => join(path, segment));
      continue;
    }
    const matcher = matcherOf(segment);
    found = found.flatMap((path) =>
      namesIn(path, files)
        .filter((name) => matcher.test(name))
        .toSorted()
        .map((name) => join(path, name)),
    );
  }
  return hasWildcard(pattern) ? found.filter((path) => files.exists(path)) : found;
}

function matcherOf(segment: string): RegExp {
  const source = segment.replace(/[\\^$.+()[\]{}|]/g, '\\$&');
  return new RegExp(`^${source.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'su');
}

/** A path that is no directory has no names: the pattern just does not match there. */
function namesIn(path: string, files: FileReader): readonly string[] {
  try {
    return files.list(path);
  } catch {
    return [];
  }
}

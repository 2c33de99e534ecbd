// The repository's own files, for tests of its rules.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Top folder of the repository. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

const SOURCE_FOLDERS = ['core', 'plugins', 'test', 'bench'];

/** Text of a file, by its path from the top. */
export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** Every file below these folders whose name ends so, as sorted paths from the top. */
export function listFiles(folders: readonly string[], ending: string): readonly string[] {
  return folders
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
        join(folder, name),
      ),
    )
    .filter((path) => path.endsWith(ending))
    .sort();
}

/** Every TypeScript file of the project. */
export function sourceFiles(): readonly string[] {
  return listFiles(SOURCE_FOLDERS, '.ts');
}

/** Names of the plugin folders. */
export function pluginNames(): readonly string[] {
  return readdirSync(join(root, 'plugins'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/** Every page written for people. */
export function markdownFiles(): readonly string[] {
  const top = readdirSync(root).filter((name) => name.endsWith('.md'));
  return [...top, ...listFiles(SOURCE_FOLDERS, '.md')].sort();
}

/** A fenced block of a page. */
export interface Fence {
  readonly path: string;
  /** Line of its first line of text. */
  readonly line: number;
  readonly text: string;
}

/** The blocks of a page fenced as `language`. */
export function fencesOf(path: string, language: string): readonly Fence[] {
  const fences: Fence[] = [];
  let open: { line: number; lines: string[] } | undefined;
  for (const [index, text] of readText(path).split('\n').entries()) {
    if (open === undefined) {
      if (text.trim() === `\`\`\`${language}`) open = { line: index + 2, lines: [] };
    } else if (text.trim() === '```') {
      fences.push({ path, line: open.line, text: `${open.lines.join('\n')}\n` });
      open = undefined;
    } else {
      open.lines.push(text);
    }
  }
  return fences;
}

// The format of cases/*.case and what the parser makes of one, as text. Adding a case needs no code:
//
//   the Corefile
//   --- file NAME        any number of these: a file to import
//   its text
//   --- env              NAME=VALUE lines
//   ---
//   the expected blocks, or every problem as the operator reads it; warnings come first
import { join, resolve } from 'node:path';
import { checkDirectives } from '../../core/corefile/directives.js';
import type { FileReader } from '../../core/corefile/glob.js';
import type { Configuration, ServerBlock, Token } from '../../core/corefile/model.js';
import { findOverlaps } from '../../core/corefile/overlap.js';
import { parseCorefile } from '../../core/corefile/parser.js';
import { formatProblems } from '../../core/corefile/problems.js';

export interface Case {
  readonly input: string;
  readonly files: ReadonlyMap<string, string>;
  readonly env: Readonly<Record<string, string>>;
  readonly expected: string;
}

/** Directives that exist for cases; `kubernetes` is one that CoreDNS has and these do not. */
const KNOWN = 'bind cache debug errors forward health hosts log root view whoami'.split(' ');

const DEFAULT_PORT = 53;

/** Splits a case file into its parts. */
export function readCase(text: string): Case {
  const files = new Map<string, string>();
  const env: Record<string, string> = {};
  const [input = '', ...parts] = text.split(/^---/m);
  let expected = '';
  for (const part of parts) {
    const end = part.indexOf('\n');
    const head = part.slice(0, end).trim();
    const body = part.slice(end + 1);
    if (head === '') expected = body.trim();
    else if (head === 'env') {
      for (const line of body.trim().split('\n')) {
        const equals = line.indexOf('=');
        env[line.slice(0, equals)] = line.slice(equals + 1);
      }
    } else files.set(resolve(head.replace(/^file /, '')), body);
  }
  return { input, files, env, expected };
}

/** What comes of a case: problems if there are any, else the tree. Names of imported files are relative to the working directory. */
export function runCase({ input, files, env }: Case): string {
  const { configuration, problems, warnings } = parseCorefile(input, 'Corefile', {
    defaultPort: DEFAULT_PORT,
    env,
    files: memoryFiles(files),
  });
  problems.push(...checkDirectives(configuration, KNOWN));
  problems.push(...findOverlaps(configuration.blocks.map(servedBlock)));
  const notes = formatProblems(warnings).map((line) => `warning: ${line}`);
  const lines = problems.length > 0 ? formatProblems(problems) : treeOf(configuration);
  return [...notes, ...lines].join('\n').replaceAll(join(process.cwd(), '/'), '');
}

/** What *bind* and *view* would have set. */
function servedBlock(block: ServerBlock) {
  const binds = block.directives.filter(({ name }) => name.text === 'bind');
  return {
    block,
    addresses: binds.flatMap(({ args }) => args.map(({ text }) => text)),
    hasView: block.directives.some(({ name }) => name.text === 'view'),
  };
}

function treeOf({ plugins, blocks }: Configuration): string[] {
  const lines = plugins.map(({ specifier }) => `plugin ${specifier}`);
  for (const { keys, directives, order } of blocks) {
    lines.push(keys.flatMap((k) => k.zones.map((z) => `${k.scheme}://${z}:${k.port}`)).join(' '));
    if (order !== undefined) lines.push(`  order ${order.join(' ')}`);
    for (const { name, args, properties } of directives) {
      lines.push(`  ${words([name, ...args])}`);
      for (const property of properties) {
        lines.push(`    ${words([property.name, ...property.args])}`);
      }
    }
  }
  return lines;
}

function words(tokens: readonly Token[]): string {
  return tokens.map(({ text }) => (/^[^\s"]+$/.test(text) ? text : JSON.stringify(text))).join(' ');
}

/** A file system of these files and the directories above them. */
function memoryFiles(files: ReadonlyMap<string, string>): FileReader {
  const names = (path: string): string[] => {
    const inside = [...files.keys()].filter((name) => name.startsWith(`${path}/`));
    return inside.map((name) => name.slice(path.length + 1).split('/')[0] as string);
  };
  const fail = (code: string): never => {
    throw Object.assign(new Error(code), { code });
  };
  return {
    read: (path) => files.get(path) ?? fail(names(path).length > 0 ? 'EISDIR' : 'ENOENT'),
    list: (path) => (names(path).length > 0 ? [...new Set(names(path))] : fail('ENOENT')),
    exists: (path) => files.has(path) || names(path).length > 0,
  };
}

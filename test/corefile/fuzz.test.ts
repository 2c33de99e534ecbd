// Random Corefiles: a configuration or problems, never a throw, never a hang. Set SEED to repeat a run.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directive } from '../../core/corefile/directive.js';
import { custom, flag, tuple, zones } from '../../core/corefile/lines.js';
import { findOverlaps } from '../../core/corefile/overlap.js';
import { parseCorefile } from '../../core/corefile/parser.js';
import { formatProblems } from '../../core/corefile/problems.js';
import { compileRegex } from '../../core/corefile/regex.js';
import { ValueError } from '../../core/corefile/value-error.js';
import { duration, integer, oneOf } from '../../core/corefile/values.js';

/** How long each test goes on. */
const BUDGET_MS = 800;

/** No single input may take longer; the slowest seen takes a hundredth of it. */
const INPUT_MS = 2000;

const PIECES = (
  '{ } { } import (s) (t) s t plugin order cache log whoami forward . a.org, b.org:53 tls://c.org 10.0.0.0/9 2001:db8::/31 ' +
  '::/0 :53 a: {$A} {$B} {%C%} {$} {args[0]} {args[:]} {args[9]} {args[1:2]} "q q" "open "" "\\" #c a#b 30s -1 9999999999 ' +
  './x *.conf ?? [a] \\ \u00a0 \r é \u{1f600} \ufeff \u0000 prefetch success 1h1h ..'
).split(' ');
const SEPARATORS = [' ', '\n', '\n', '\t', '', ' \n '];
const ENV = { A: '{$B} x', B: '{$A}{$A}', C: '} { \n' };

const syntax = directive({
  args: { ttl: integer({ min: 0 }).or(3600), zones: zones() },
  block: {
    prefetch: tuple(integer(), duration().optional()).many(),
    success: integer().list().or([]),
    whoami: flag(),
    log: custom((args) => args.length).optional(),
    cache: oneOf('x', 'y').or('x'),
  },
});

test('fuzz: any text gives a configuration or problems', () => {
  const random = seeded();
  const files = {
    read: (path: string) => (path.endsWith('.conf') ? corefile(random) : fail()),
    list: () => ['a.conf', 'b.conf', '.c.conf'],
    exists: () => true,
  };
  forBudget(() => {
    const text = corefile(random);
    const parsed = parseCorefile(text, 'Corefile', { defaultPort: 53, env: ENV, files });
    const problems = [...parsed.problems];
    for (const block of parsed.configuration.blocks) {
      const context = { zones: block.keys.flatMap((key) => key.zones), root: '/' };
      syntax.many().parse(block.directives, context, problems);
      syntax.once().parse(block.directives, context, problems);
    }
    const served = parsed.configuration.blocks.map((block) => ({
      block,
      addresses: random() < 0.5 ? [] : ['127.0.0.1'],
      hasView: random() < 0.2,
    }));
    problems.push(...findOverlaps(served));
    assert.ok(parsed.configuration.blocks.length > 0 || problems.length > 0 || text !== '');
    for (const line of formatProblems(problems)) assert.match(line, /^[^\n\r]+: [^\n]+$/, text);
  });
});

test('fuzz: any text is a regular expression or refused', () => {
  const random = seeded();
  const pieces = [...'abc01()[]{}|*+?.^$\\-:,<>=!PQEpLzA&/ é\u{1f600}'];
  forBudget(() => {
    const source = Array.from({ length: 1 + random() * 12 }, () => pick(pieces, random)).join('');
    try {
      assert.ok(compileRegex(source) instanceof RegExp);
    } catch (error) {
      assert.ok(error instanceof ValueError, source);
    }
  });
});

/** Runs `round` until the budget is spent; a slow round fails. */
function forBudget(round: () => void): void {
  const end = performance.now() + BUDGET_MS;
  while (performance.now() < end) {
    const start = performance.now();
    round();
    assert.ok(performance.now() - start < INPUT_MS, 'an input took too long');
  }
}

function corefile(random: () => number): string {
  let text = '';
  for (let n = random() * 30; n > 0; n--) text += pick(PIECES, random) + pick(SEPARATORS, random);
  return text;
}

function pick(from: readonly string[], random: () => number): string {
  return from[Math.floor(random() * from.length)] as string;
}

function fail(): never {
  throw Object.assign(new Error('none'), { code: 'ENOENT' });
}

/** mulberry32: small, and the same sequence everywhere. */
function seeded(): () => number {
  let state = Number(process.env.SEED ?? Date.now() & 0x7fffffff);
  console.log(`SEED=${state}`);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

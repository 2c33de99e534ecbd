import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directiveProblems, parseDirective } from '../../core/testing.js';
import type { EcsOptions } from './ecs.js';
import ecs, { optionsOf } from './setup.js';

const cases: readonly { name: string; text: string; want: EcsOptions }[] = [
  {
    name: 'alone it passes on what clients send, as far as is usual',
    text: 'ecs',
    want: { mode: 'forward', ipv4: 24, ipv6: 56, domains: undefined },
  },
  {
    name: 'a mode',
    text: 'ecs add',
    want: { mode: 'add', ipv4: 24, ipv6: 56, domains: undefined },
  },
  {
    name: 'coarse has prefixes of its own',
    text: 'ecs coarse',
    want: { mode: 'coarse', ipv4: 16, ipv6: 40, domains: undefined },
  },
  {
    name: 'both prefixes',
    text: 'ecs forward {\n prefix 32 64\n}',
    want: { mode: 'forward', ipv4: 32, ipv6: 64, domains: undefined },
  },
  {
    name: 'one prefix leaves the other as it is',
    text: 'ecs coarse {\n prefix 0\n}',
    want: { mode: 'coarse', ipv4: 0, ipv6: 40, domains: undefined },
  },
  {
    name: 'domains',
    text: 'ecs add {\n domains CDN.example.org example.net\n}',
    want: { mode: 'add', ipv4: 24, ipv6: 56, domains: ['cdn.example.org.', 'example.net.'] },
  },
];
for (const { name, text, want } of cases) {
  test(`ecs syntax: ${name}`, () => {
    const [config] = parseDirective(ecs, text);
    assert.deepEqual(optionsOf(config as Parameters<typeof optionsOf>[0]), want);
  });
}

const errors = [
  {
    name: 'an unknown mode',
    text: 'ecs ad',
    error: 'Corefile:1: ecs: "ad" is not accepted, want off, forward, add or coarse',
  },
  {
    name: 'a prefix that is too long',
    text: 'ecs {\n prefix 33 56\n}',
    error: 'Corefile:2: ecs: prefix V4 33 is out of range, want 0..32',
  },
  {
    name: 'a prefix that reaches into the host',
    text: 'ecs {\n prefix 24 65\n}',
    error: 'Corefile:2: ecs: prefix V6 65 is out of range, want 0..64',
  },
  {
    name: 'a prefix with off',
    text: 'ecs off {\n prefix 24\n}',
    error: 'Corefile:2: ecs: prefix has no meaning with off, want a mode that tells networks',
  },
  {
    name: 'domains with off',
    text: 'ecs off {\n domains example.org\n}',
    error: 'Corefile:2: ecs: domains has no meaning with off, want a mode that tells networks',
  },
];
for (const { name, text, error } of errors) {
  test(`ecs syntax: ${name} is refused`, () => {
    assert.deepEqual(directiveProblems(ecs, text), [error]);
  });
}

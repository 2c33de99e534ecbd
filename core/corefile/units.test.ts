// Durations and sizes, read and shown.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, formatSize, parseDuration, parseSize } from './units.js';

test('durations: Go notation in milliseconds', () => {
  const cases: [string, number | undefined][] = [
    ['0', 0],
    ['-0', 0],
    ['30s', 30_000],
    ['1h30m', 5_400_000],
    ['0.5s', 500],
    ['.5m', 30_000],
    ['1.s', 1000],
    ['250ms', 250],
    ['20us', 0.02],
    ['20µs', 0.02],
    ['20μs', 0.02],
    ['1000000ns', 1],
    ['-1m', -60_000],
    ['+1m', 60_000],
    ['30', undefined],
    ['', undefined],
    ['s', undefined],
    ['1d', undefined],
    ['1 s', undefined],
    ['1s30', undefined],
    ['.s', undefined],
  ];
  for (const [text, want] of cases) assert.equal(parseDuration(text) ?? undefined, want, text);
});

test('durations: shown in the largest unit that leaves a whole number', () => {
  const cases: [number, string][] = [
    [0, '0s'],
    [60_000, '1m'],
    [90_000, '90s'],
    [7_200_000, '2h'],
    [1500, '1500ms'],
    [0.25, '250us'],
    [1e-6, '1ns'],
    [1 / 3, `${1 / 3}ms`],
  ];
  for (const [ms, want] of cases) assert.equal(formatDuration(ms), want);
});

test('sizes: decimal and binary units in any case', () => {
  const cases: [string, number | undefined][] = [
    ['0', 0],
    ['4096', 4096],
    ['64MB', 64e6],
    ['512KiB', 524_288],
    ['512kib', 524_288],
    ['1k', 1024],
    ['1.5GiB', 1_610_612_736],
    ['2T', 2 * 2 ** 40],
    ['10b', 10],
    ['-1', undefined],
    ['1ib', undefined],
    ['1i', undefined],
    ['MB', undefined],
    ['1 MB', undefined],
    ['1PB', undefined],
  ];
  for (const [text, want] of cases) assert.equal(parseSize(text), want, text);
});

test('sizes: shown in the largest binary unit that leaves a whole number', () => {
  assert.equal(formatSize(2 ** 20), '1MiB');
  assert.equal(formatSize(3 * 2 ** 40), '3TiB');
  assert.equal(formatSize(1536), '1536B');
  assert.equal(formatSize(0), '0B');
});

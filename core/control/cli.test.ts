import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Command, parseCommandLine } from './cli.js';

const serve = {
  kind: 'serve',
  conf: undefined,
  port: 53,
  pidfile: undefined,
  isQuiet: false,
  workers: undefined,
  isSteering: false,
} as const;

const cases: { name: string; argv: string[]; want: Command }[] = [
  { name: 'nothing serves', argv: [], want: serve },
  { name: 'one dash', argv: ['-conf', 'a'], want: { ...serve, conf: 'a' } },
  { name: 'two dashes', argv: ['--conf', 'a'], want: { ...serve, conf: 'a' } },
  { name: 'a value after =', argv: ['-conf=a=b'], want: { ...serve, conf: 'a=b' } },
  { name: 'standard input', argv: ['-conf', 'stdin'], want: { ...serve, conf: 'stdin' } },
  { name: 'the port', argv: ['-dns.port', '1053'], want: { ...serve, port: 1053 } },
  { name: 'the port after =', argv: ['-dns.port=1053'], want: { ...serve, port: 1053 } },
  { name: 'the short port', argv: ['-p', '1053'], want: { ...serve, port: 1053 } },
  { name: 'workers', argv: ['-workers', '3'], want: { ...serve, workers: 3 } },
  { name: 'steering', argv: ['-steer'], want: { ...serve, isSteering: true } },
  { name: 'a pid file', argv: ['-pidfile', '/x'], want: { ...serve, pidfile: '/x' } },
  { name: 'quiet', argv: ['-quiet'], want: { ...serve, isQuiet: true } },
  { name: 'quiet as Go writes it', argv: ['-quiet=true'], want: { ...serve, isQuiet: true } },
  { name: 'version', argv: ['-version'], want: { kind: 'version' } },
  { name: 'plugins', argv: ['--plugins'], want: { kind: 'plugins' } },
  { name: 'help', argv: ['-h'], want: { kind: 'help' } },
  { name: 'check', argv: ['check'], want: { kind: 'check', conf: undefined, port: 53 } },
  { name: 'check of a file', argv: ['check', 'a'], want: { kind: 'check', conf: 'a', port: 53 } },
  { name: 'plan', argv: ['-p', '54', 'plan'], want: { kind: 'plan', conf: undefined, port: 54 } },
];

for (const { name, argv, want } of cases) {
  test(`command line: ${name}`, () => assert.deepEqual(parseCommandLine(argv), want));
}

const misuses: { argv: string[]; want: string }[] = [
  { argv: ['-port', '1'], want: 'unknown flag -port' },
  { argv: ['-x'], want: 'unknown flag -x' },
  { argv: ['-conf'], want: 'flag -conf needs a value' },
  { argv: ['-quiet=maybe'], want: 'flag -quiet takes no value' },
  { argv: ['-p', '0'], want: 'port "0" is not accepted, want 1..65535' },
  { argv: ['-p', '1e3'], want: 'port "1e3" is not accepted, want 1..65535' },
  { argv: ['-workers', '0'], want: '"0" workers are not accepted, want 1..1024' },
  { argv: ['serve'], want: 'unknown command "serve", want check or plan' },
  { argv: ['check', 'a', 'b'], want: 'unexpected argument "b"' },
  { argv: ['check', 'a', '-conf', 'b'], want: '"a" and -conf "b" name two files, want one' },
];

for (const { argv, want } of misuses) {
  test(`command line: ${argv.join(' ')} is misuse`, () => {
    assert.deepEqual(parseCommandLine(argv), { kind: 'misuse', message: want });
  });
}

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
  control: undefined,
} as const;

const ask = { kind: 'ask', command: 'cache', args: [], control: undefined, isJson: false } as const;

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
  { name: 'a command socket', argv: ['-control', '/x'], want: { ...serve, control: '/x' } },
  { name: 'no command socket', argv: ['-control=none'], want: { ...serve, control: 'none' } },
  { name: 'a pid file', argv: ['-pidfile', '/x'], want: { ...serve, pidfile: '/x' } },
  { name: 'quiet', argv: ['-quiet'], want: { ...serve, isQuiet: true } },
  { name: 'quiet as Go writes it', argv: ['-quiet=true'], want: { ...serve, isQuiet: true } },
  { name: 'version', argv: ['-version'], want: { kind: 'version' } },
  { name: 'plugins', argv: ['--plugins'], want: { kind: 'plugins' } },
  { name: 'help', argv: ['-h'], want: { kind: 'help' } },
  { name: 'check', argv: ['check'], want: { kind: 'check', conf: undefined, port: 53 } },
  { name: 'check of a file', argv: ['check', 'a'], want: { kind: 'check', conf: 'a', port: 53 } },
  { name: 'a command', argv: ['cache'], want: ask },
  {
    name: 'arguments of a command as they are',
    argv: ['cache', 'list', '--subtree', '-x', '-p', 'check'],
    want: { ...ask, args: ['list', '--subtree', '-x', '-p', 'check'] },
  },
  {
    name: 'flags in front of a command',
    argv: ['-json', '-control', '/x', 'cache', 'stats'],
    want: { ...ask, args: ['stats'], control: '/x', isJson: true },
  },
  {
    name: 'flags behind a command',
    argv: ['cache', '--control', '/x', 'stats', '--json'],
    want: { ...ask, args: ['stats'], control: '/x', isJson: true },
  },
  {
    name: 'the socket after =',
    argv: ['cache', 'stats', '-control=/x'],
    want: { ...ask, args: ['stats'], control: '/x' },
  },
  { name: 'help as a command', argv: ['help'], want: { kind: 'help' } },
  { name: 'help in front of a command', argv: ['-help', 'cache'], want: { kind: 'help' } },
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
  { argv: ['cache', '-control'], want: 'flag -control needs a value' },
  { argv: ['cache', '-json=no'], want: 'flag -json takes no value' },
  { argv: ['cache', '-control', 'none'], want: '-control none names no server' },
  { argv: ['-x', 'cache'], want: 'unknown flag -x' },
  { argv: ['-json'], want: 'flag -json is for commands to the running server' },
  { argv: ['check', 'a', 'b'], want: 'unexpected argument "b"' },
  { argv: ['check', 'a', '-conf', 'b'], want: '"a" and -conf "b" name two files, want one' },
];

for (const { argv, want } of misuses) {
  test(`command line: ${argv.join(' ')} is misuse`, () => {
    assert.deepEqual(parseCommandLine(argv), { kind: 'misuse', message: want });
  });
}

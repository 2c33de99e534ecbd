import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';
import { definePlugin } from '../../core/plugin.js';
import { directiveProblems, parseDirective } from '../../core/testing.js';
import { bindSyntax, type Interfaces } from './bind.js';

function held(address: string): NetworkInterfaceInfo {
  const common = { address, netmask: '', mac: '', internal: false, cidr: null };
  return address.includes(':')
    ? { ...common, family: 'IPv6', scopeid: 0 }
    : { ...common, family: 'IPv4' };
}

const machine: Interfaces = {
  lo: [held('127.0.0.1'), held('::1')],
  eth0: [held('192.0.2.7'), held('2001:db8::7'), held('fe80::7')],
  eth1: [held('198.51.100.7'), held('fe80::8'), held('fe80::9')],
  eth2: [held('fe80::9')],
};

const bind = definePlugin({ name: 'bind', syntax: bindSyntax(() => machine) });

const cases = [
  { name: 'addresses', text: 'bind 192.0.2.9 2001:db8::9', want: ['192.0.2.9', '2001:db8::9'] },
  { name: 'an interface is all its addresses', text: 'bind lo', want: ['127.0.0.1', '::1'] },
  {
    name: 'a link-local address of an interface has its zone',
    text: 'bind eth0',
    want: ['192.0.2.7', '2001:db8::7', 'fe80::7%eth0'],
  },
  {
    name: 'several lines add up',
    text: 'bind 127.0.0.1\nbind ::1 192.0.2.7',
    want: ['127.0.0.1', '::1', '192.0.2.7'],
  },
  {
    name: 'an address counts once, however it is spelt',
    text: 'bind lo ::1 0:0::0:1\nbind 127.0.0.1',
    want: ['127.0.0.1', '::1'],
  },
  {
    name: 'every address of one family',
    text: 'bind 0.0.0.0 ::',
    want: ['0.0.0.0', '::'],
  },
  { name: 'except an address', text: 'bind lo {\n except 0::1\n}', want: ['127.0.0.1'] },
  {
    name: 'except an interface',
    text: 'bind lo 192.0.2.7 {\n except lo\n}',
    want: ['192.0.2.7'],
  },
  {
    name: 'several except lines add up',
    text: 'bind eth0 {\n except fe80::7\n except 192.0.2.7\n}',
    want: ['2001:db8::7'],
  },
  {
    name: 'except is for its own line',
    text: 'bind lo {\n except ::1\n}\nbind ::1',
    want: ['127.0.0.1', '::1'],
  },
  {
    name: 'a link-local address with its interface',
    text: 'bind fe80::9%eth1',
    want: ['fe80::9%eth1'],
  },
  {
    name: 'a link-local address that one interface has',
    text: 'bind fe80::8',
    want: ['fe80::8%eth1'],
  },
];
for (const c of cases) {
  test(`bind syntax: ${c.name}`, () => {
    assert.deepEqual(parseDirective(bind, c.text), [c.want]);
  });
}

const errors = [
  {
    name: 'nothing',
    text: 'bind',
    error: 'Corefile:1: bind: missing argument ADDRESSES, want an IP address or an interface',
  },
  {
    name: 'a word',
    text: 'bind ::1\nbind noone',
    error:
      'Corefile:2: bind: "noone" is neither an address nor an interface that is up, want an IP address or one of the interfaces: lo, eth0, eth1, eth2',
  },
  {
    name: 'a word in except',
    text: 'bind ::1 {\n except eth9\n}',
    error:
      'Corefile:2: bind: "eth9" is neither an address nor an interface that is up, want an IP address or one of the interfaces: lo, eth0, eth1, eth2',
  },
  {
    name: 'a word that every object knows',
    text: 'bind toString',
    error:
      'Corefile:1: bind: "toString" is neither an address nor an interface that is up, want an IP address or one of the interfaces: lo, eth0, eth1, eth2',
  },
  {
    name: 'an address with a port',
    text: 'bind 127.0.0.1:53',
    error:
      'Corefile:1: bind: "127.0.0.1:53" is neither an address nor an interface that is up, want an IP address or one of the interfaces: lo, eth0, eth1, eth2',
  },
  {
    name: 'exceptions that leave nothing',
    text: 'bind lo {\n except 127.0.0.1\n except ::1\n}',
    error: 'Corefile:3: bind: nothing is left to listen on, want fewer exceptions',
  },
  {
    name: 'a link-local address that two interfaces have',
    text: 'bind fe80::9',
    error: 'Corefile:1: bind: "fe80::9" is link-local, want fe80::9%eth1 or fe80::9%eth2',
  },
  {
    name: 'a zone that is no interface',
    text: 'bind fe80::7%eth9',
    error:
      'Corefile:1: bind: "fe80::7%eth9" names no interface, want one of lo, eth0, eth1, eth2 after %',
  },
  {
    name: 'a zone where none belongs',
    text: 'bind 2001:db8::7%eth0',
    error:
      'Corefile:1: bind: "2001:db8::7%eth0" has a zone but is not link-local, want it without one',
  },
  {
    name: 'an unknown property',
    text: 'bind lo {\n exept ::1\n}',
    error: 'Corefile:2: bind: unknown property "exept", did you mean "except"?',
  },
];
for (const c of errors) {
  test(`bind syntax: ${c.name} is refused`, () => {
    assert.deepEqual(directiveProblems(bind, c.text), [c.error]);
  });
}

// What records cost: a reply of our own made with compressed names, and the places of the records of one that passes through.
import { encode } from 'dns-packet';
import { parseName, Section } from '../../core/plugin.js';
import { makeQuery } from '../../core/testing/query.js';
import { Layout, scanMessage } from '../../core/wire/layout.js';
import { measure } from './rounds.js';

const CALLS = 50_000;

const zone = parseName('example.org.');
const hosts = Array.from({ length: 10 }, (_, i) => parseName(`mx${i}.mail.example.org.`));
const address = Uint8Array.of(192, 0, 2, 1);
const q = makeQuery('example.org.', 'MX');

for (const count of [1, 10]) {
  measure(`build: ${count} MX and their addresses`, CALLS, (calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) {
      sum += q.replyRecords(0, (builder) => {
        for (let h = 0; h < count; h++) {
          builder.addMx(Section.ANSWER, zone, 300, 10, hosts[h] as Uint8Array);
        }
        for (let h = 0; h < count; h++) {
          builder.addA(Section.ADDITIONAL, hosts[h] as Uint8Array, 300, address);
        }
      }).length;
    }
    return sum;
  });
}

const layout = new Layout();
for (const count of [1, 20]) {
  const message = encode({
    type: 'response',
    questions: [{ type: 'A', name: 'www.example.org' }],
    answers: Array.from({ length: count }, (_, i) => ({
      type: 'A',
      name: 'www.example.org',
      ttl: 300,
      data: `192.0.2.${i}`,
    })),
  });
  const wire = new Uint8Array(new SharedArrayBuffer(message.length));
  wire.set(message);
  measure(`scan: ${count} records`, CALLS, (calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) {
      scanMessage(wire, wire.length, layout);
      sum += layout.answers;
    }
    return sum;
  });
}

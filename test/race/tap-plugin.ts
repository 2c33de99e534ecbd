// A plugin for the race, behind *cache*: writes to a file what came late from the upstream and what failed (doubts.ts), at once, so that a kill loses nothing.
import { openSync, writeSync } from 'node:fs';
import { definePlugin, directive, type Reply, text, whenDone } from 'heimdall';
import { findStamp } from './check.js';
import { readMessage } from './message.js';
import { nowMs } from './stamp.js';

/** Less is nothing to speak of. */
const LATE_MS = 50;

export default definePlugin({
  name: 'tap',
  before: 'loop',
  syntax: directive({ args: { file: text() } }),
  setup({ file }) {
    const fd = openSync(file, 'a');
    const note = (reply: Reply): Reply => {
      const line = lineOf(reply, nowMs());
      if (line !== '') writeSync(fd, line);
      return reply;
    };
    return { serve: (q, next) => whenDone(next(q), note) };
  },
});

function lineOf(reply: Reply, now: number): string {
  const { error, query } = reply;
  // Not rounded: the client may have the reply within the same millisecond.
  if (error !== undefined) return `error ${now.toFixed(3)} ${query.qname}\n`;
  const wire = Buffer.from(reply.wire.subarray(0, reply.length));
  try {
    const stamp = findStamp(query.qtype, wire, readMessage(wire), (wire[3] as number) & 15);
    const late = stamp === undefined ? 0 : now - stamp.saidMs;
    return stamp === undefined || late < LATE_MS ? '' : `late ${stamp.saidMs} ${late.toFixed(0)}\n`;
  } catch {
    // What cannot be read the checker will find.
    return '';
  }
}

// The *dedupe* directive.
import { definePlugin, directive, integer } from '../../core/plugin.js';
import { DedupeHandler } from './dedupe.js';
import { MAX_FLIGHTS } from './flights.js';

/** Ten times the clients that a busy resolver sees wait for one name; about 200 bytes each beside the query itself. */
const WAITERS = 10_000;

export default definePlugin({
  name: 'dedupe',
  syntax: directive({
    block: {
      // The server as a whole lets no more queries than this wait.
      waiters: integer({ min: 1, max: MAX_FLIGHTS }).or(WAITERS),
    },
  }).once(),
  setup: ({ waiters }, services) => new DedupeHandler(waiters, services),
});

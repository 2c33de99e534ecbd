// The *dedupe* directive.
import { definePlugin, directive, duration, integer } from '../../core/plugin.js';
import { DedupeControl, type DedupeMemory } from './control.js';
import { DedupeHandler } from './dedupe.js';
import { MAX_FLIGHTS } from './flights.js';

/** Ten times the clients that a busy resolver sees wait for one name; about 200 bytes each beside the query itself. */
const WAITERS = 10_000;

/** Somewhat longer than *forward* takes at most, so that a slow upstream is not asked twice. */
const TIMEOUT_MS = 6_000;

/** By then the server has answered those that wait. */
const MAX_TIMEOUT_MS = 10_000;

export default definePlugin({
  name: 'dedupe',
  syntax: directive({
    block: {
      // The server as a whole lets no more queries than this wait.
      waiters: integer({ min: 1, max: MAX_FLIGHTS }).or(WAITERS),
      timeout: duration({ min: 100, max: MAX_TIMEOUT_MS }).or(TIMEOUT_MS),
    },
  }).once(),
  control: (_config, { workers }) => new DedupeControl(workers),
  setup: ({ waiters, timeout }, services) =>
    new DedupeHandler(
      { waiters, timeoutMs: timeout },
      services.published as DedupeMemory,
      services,
    ),
});

// The *health* directive.
import { definePlugin, directive, duration, hostPort } from '../../core/plugin.js';
import { createControl } from './health.js';

/** Longer than any orchestrator waits for a process to end. */
const MAX_LAMEDUCK_MS = 3_600_000;

export default definePlugin({
  name: 'health',
  syntax: directive({
    args: { address: hostPort().or({ host: '', port: 8080 }) },
    block: { lameduck: duration({ max: MAX_LAMEDUCK_MS }).or(0) },
  }),
  control: (config, services) => createControl(config, services),
});

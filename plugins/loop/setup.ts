// The *loop* directive: no arguments, no properties.
import { definePlugin, directive } from '../../core/plugin.js';
import { LoopControl } from './control.js';
import { LoopHandler } from './loop.js';
import { allocateWatch, Watch } from './watch.js';

export default definePlugin({
  name: 'loop',
  syntax: directive({}).once(),
  setup: (_config, { published }) =>
    // A handler by itself has nobody who sends a probe.
    new LoopHandler(new Watch((published as Int32Array | undefined) ?? allocateWatch())),
  control: (_config, services) => new LoopControl(services),
});

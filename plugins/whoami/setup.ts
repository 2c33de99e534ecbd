// The *whoami* directive: no arguments, no properties.
import { definePlugin, directive } from '../../core/plugin.js';
import { whoamiHandler } from './whoami.js';

export default definePlugin({
  name: 'whoami',
  syntax: directive({}),
  setup: () => whoamiHandler(),
});

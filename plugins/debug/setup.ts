// The *debug* directive: makes the whole process say more, and is no step of the chain.
import { definePlugin, directive } from '../../core/plugin.js';

export default definePlugin({
  name: 'debug',
  syntax: directive({}),
  configure(_config, settings) {
    settings.isDebug = true;
  },
});

// The *bind* directive: sets the addresses of the server block's listeners and is no step of the chain.
import { definePlugin } from '../../core/plugin.js';
import { bindSyntax } from './bind.js';

export default definePlugin({
  name: 'bind',
  syntax: bindSyntax(),
  configure(addresses, settings) {
    settings.addresses = [...new Set([...settings.addresses, ...addresses])];
  },
});

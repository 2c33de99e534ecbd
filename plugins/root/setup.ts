// The *root* directive: sets the server block's base directory and is no step of the chain.
import { definePlugin, directive, text } from '../../core/plugin.js';
import { absoluteRoot, rootWarning } from './root.js';

export default definePlugin({
  name: 'root',
  syntax: directive({ args: { path: text() } }).once(),
  configure({ path }, settings) {
    settings.root = absoluteRoot(path);
    const warning = rootWarning(settings.root);
    if (warning !== undefined) settings.warnings.push(warning);
  },
});

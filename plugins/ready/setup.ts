// The *ready* directive.
import { definePlugin, directive, hostPort, oneOf } from '../../core/plugin.js';
import { createControl } from './ready.js';

export default definePlugin({
  name: 'ready',
  syntax: directive({
    args: { address: hostPort().or({ host: '', port: 8181 }) },
    block: { monitor: oneOf('until-ready', 'continuously').or('until-ready') },
  }).once(),
  control: createControl,
});

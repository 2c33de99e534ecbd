// The *prometheus* directive.
import {
  definePlugin,
  directive,
  file,
  flag,
  hostPort,
  ValueError,
  value,
} from '../../core/plugin.js';
import { createControl } from './exporter.js';
import { CountingHandler } from './prometheus.js';
import { readWebConfig } from './web-config.js';

export default definePlugin({
  name: 'prometheus',
  syntax: directive({
    args: { address: hostPort().or({ host: 'localhost', port: 9153 }) },
    block: {
      namespace: value(readNamespace, 'a namespace such as coredns').optional(),
      runtime_metrics: flag(),
      tls: file().optional(),
    },
    check({ tls }) {
      if (tls === undefined) return undefined;
      try {
        readWebConfig(tls);
        return undefined;
      } catch (error) {
        return { at: 'tls', message: `web configuration "${tls}": ${(error as Error).message}` };
      }
    },
  }).once(),
  setup: (_config, services) => new CountingHandler(services),
  control: (config, services) => createControl(config, services),
});

function readNamespace(text: string): string {
  if (/^[a-z_][a-z0-9_]*$/i.test(text)) return text;
  throw new ValueError('want letters, digits and underscores', 'is no namespace');
}

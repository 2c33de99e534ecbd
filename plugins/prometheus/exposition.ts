// The text that Prometheus reads: families of the server under their namespace, then those of the process.
import { createRequire } from 'node:module';
import type { Metric, Registry } from 'prom-client';
import type { MetricFamily, MetricSample } from '../../core/plugin.js';
import { processFamilies } from './process.js';

// Without `import`, for which Node would start its export scanner for CommonJS, 6 MB that nothing else needs.
const client = createRequire(import.meta.url)('prom-client') as typeof import('prom-client');

/** A line as prom-client prints it. */
interface Value {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Exposition {
  readonly contentType: string;
  text(families: readonly MetricFamily[], namespace: string): Promise<string>;
}

/** Makes the printer; `hasRuntime` adds metrics of the Node runtime. */
export function createExposition(hasRuntime: boolean): Exposition {
  const runtime = new client.Registry();
  if (hasRuntime) addRuntime(runtime);
  return {
    contentType: client.Registry.PROMETHEUS_CONTENT_TYPE,
    async text(families, namespace) {
      // A registry a scrape: families come and go, and their values are made here anyway.
      const registry = new client.Registry();
      for (const family of families) {
        registry.registerMetric(metricOf(family, `${namespace}_${family.name}`));
      }
      for (const family of processFamilies()) {
        registry.registerMetric(metricOf(family, family.name));
      }
      const own = await registry.metrics();
      return hasRuntime ? `${own}\n${await runtime.metrics()}` : own;
    },
  };
}

/** prom-client's own collection, but for what process.ts has. The loop is sampled every 100 ms: sampling wakes the thread up. */
function addRuntime(registry: Registry): void {
  client.collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
  for (const { name } of registry.getMetricsAsArray() as readonly { readonly name: string }[]) {
    if (name.startsWith('process_')) registry.removeSingleMetric(name);
  }
}

/** prom-client asks a metric for nothing but `get`. */
function metricOf({ help, type, samples }: MetricFamily, name: string): Metric<string> {
  const values = samples.flatMap((sample) => valuesOf(type, name, sample));
  const get = (): unknown => ({ name, help, type, values, aggregator: 'sum' });
  return { name, get } as unknown as Metric<string>;
}

function valuesOf(type: MetricFamily['type'], name: string, sample: MetricSample): Value[] {
  const { labels, values, buckets } = sample;
  if (type !== 'histogram') return [{ labels, value: values[0] ?? 0 }];
  const lines: Value[] = [];
  let count = 0;
  for (let i = 0; i <= buckets.length; i++) {
    count += values[i] ?? 0;
    const le = i === buckets.length ? '+Inf' : String(buckets[i]);
    lines.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: count });
  }
  lines.push({ metricName: `${name}_sum`, labels, value: values[buckets.length + 1] ?? 0 });
  lines.push({ metricName: `${name}_count`, labels, value: count });
  return lines;
}

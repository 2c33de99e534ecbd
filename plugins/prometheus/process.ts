// What every Prometheus client says of its process: processor time, memory, descriptors. Read when scraped; what the system does not tell is left out.
import { readdirSync, readFileSync } from 'node:fs';
import type { MetricFamily } from '../../core/plugin.js';

const PAGE_BYTES = 4096;

/** The families `process_*`. */
export function processFamilies(): MetricFamily[] {
  const { user, system } = process.cpuUsage();
  const startSeconds = Date.now() / 1000 - process.uptime();
  const families = [
    family(
      'process_cpu_seconds_total',
      'Processor time of all threads in seconds.',
      (user + system) / 1e6,
      'counter',
    ),
    family('process_start_time_seconds', 'Start of the process in Unix time.', startSeconds),
    family('process_resident_memory_bytes', 'Resident memory in bytes.', process.memoryUsage.rss()),
  ];
  const virtualPages = attempt(() =>
    Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[0]),
  );
  const limit = attempt(() =>
    Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]),
  );
  // The listing itself has one open.
  const open = attempt(() => readdirSync('/proc/self/fd').length - 1);
  if (virtualPages !== undefined) {
    families.push(
      family('process_virtual_memory_bytes', 'Virtual memory in bytes.', virtualPages * PAGE_BYTES),
    );
  }
  if (open !== undefined) {
    families.push(family('process_open_fds', 'Open file descriptors.', open));
  }
  if (limit !== undefined) {
    families.push(family('process_max_fds', 'Most file descriptors that may be open.', limit));
  }
  return families;
}

function family(
  name: string,
  help: string,
  value: number,
  type: MetricFamily['type'] = 'gauge',
): MetricFamily {
  const sample = { labels: {}, buckets: [], values: Float64Array.of(value) };
  return { name, help, type, samples: [sample] };
}

function attempt(read: () => number): number | undefined {
  try {
    const value = read();
    return Number.isFinite(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

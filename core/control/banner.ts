// What the server prints when it is up: its zones and listeners, then what it is and runs on.
import type { ListenerPlan } from '../chain/plan.js';
import { commonjs } from '../system/commonjs.js';
import { cpuListText } from '../system/topology.js';

/** RFC 1035 2.3.1, with the underscore and the digits in front that service names and reverse zones need. */
const PREFERRED_LABEL = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/i;

/** One line per zone and listener, sorted: `[scheme://]zone:port[ on IP]`. */
export function zoneLines(listeners: readonly ListenerPlan[]): string[] {
  const lines = new Set<string>();
  for (const { scheme, address, port, routes } of listeners) {
    for (const { zone } of routes) {
      const prefix = scheme === 'dns' ? '' : `${scheme}://`;
      lines.add(`${prefix}${zone}:${port}${address === '' ? '' : ` on ${address}`}`);
    }
  }
  return [...lines].sort();
}

/** Zones with a label that RFC 1035 would not have for a host. */
export function oddZones(listeners: readonly ListenerPlan[]): string[] {
  const zones = new Set(listeners.flatMap(({ routes }) => routes.map(({ zone }) => zone)));
  return [...zones].filter((zone) => !isPreferred(zone)).sort();
}

function isPreferred(zone: string): boolean {
  return (
    zone === '.' ||
    zone
      .slice(0, -1)
      .split('.')
      .every((label) => PREFERRED_LABEL.test(label))
  );
}

/** `Heimdall-0.1.0`. */
export function versionLine(): string {
  return `Heimdall-${version()}`;
}

/** `linux/x64, Node v20.20.2`. */
export function platformLine(): string {
  return `${process.platform}/${process.arch}, Node ${process.version}`;
}

/** `4 workers`, with `on CPUs 0-3` where each has its own, and `steered` where the receiving one chooses the worker. */
export function workersText(workers: number, cpus: readonly number[], isSteered: boolean): string {
  const count = `${workers} worker${workers === 1 ? '' : 's'}`;
  const place = cpus.length === 0 ? '' : ` on CPUs ${cpuListText(cpus)}`;
  return `${count}${place}${isSteered ? ', steered' : ''}`;
}

/** The version of the package. */
export function version(): string {
  return (commonjs('heimdall/package.json') as { version: string }).version;
}

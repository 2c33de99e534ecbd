// How long the server itself says that it had queries, from their receipt to the call that sent their replies, out of its histogram. What clients wait for beyond that is on the
// way, or in line before the socket is read.

const BUCKET = /^coredns_dns_request_duration_seconds_bucket\{.*\ble="([^"]+)".*\} (\d+)$/gm;

/** Queries answered within so many seconds; Infinity for all. */
export type OwnTimes = ReadonlyMap<number, number>;

/** What the server's metrics say now, over all its server blocks. */
export async function readOwnTimes(metricsPort: number): Promise<OwnTimes> {
  return ownTimesIn(await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text());
}

export function ownTimesIn(metrics: string): OwnTimes {
  const times = new Map<number, number>();
  for (const [, bound, count] of metrics.matchAll(BUCKET)) {
    const seconds = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound);
    times.set(seconds, (times.get(seconds) ?? 0) + Number(count));
  }
  return times;
}

/** The share of the queries between two readings that was answered within so many seconds, which is one of the bounds. */
export function shareWithin(seconds: number, before: OwnTimes, after: OwnTimes): number {
  if (!after.has(seconds)) throw new RangeError(`${seconds} s is none of the bounds`);
  const between = (bound: number): number => (after.get(bound) ?? 0) - (before.get(bound) ?? 0);
  return between(seconds) / between(Number.POSITIVE_INFINITY);
}

// `heimdall upstreams`: what is known of each upstream, as rows.
import { CommandError, type ControlServices, METRIC_SOURCE, type Row } from '../../core/plugin.js';
import { CAUSES, HOLD_MS, type State } from './health.js';
import { Cause, HealthCells } from './health-cells.js';
import { type LatencySummary, summarize } from './latency.js';
import type { ForwardConfig } from './syntax.js';

export const UPSTREAMS_HELP =
  'what is known of the upstreams: state, speed, share of queries, errors';

const HITS = 'proxy_conn_cache_hits_total';
const MISSES = 'proxy_conn_cache_misses_total';
const OPEN = 'forward_connections';

/** How an upstream is asked, by how it is called. */
const TRANSPORTS = [
  { prefix: 'tls://', proto: 'tcp-tls' },
  { prefix: 'https://', proto: 'https' },
] as const;

interface Line {
  readonly place: HealthCells;
  readonly text: string;
  /** Without scheme, as metrics have it. */
  readonly to: string;
  readonly proto: string;
  readonly latency: LatencySummary;
}

export class UpstreamTable {
  readonly #cells: Int32Array;
  readonly #isAsked: (text: string) => boolean;
  readonly #zones: string;
  readonly #maxFails: number;
  readonly #isMixing: boolean;
  readonly #services: ControlServices;

  /** `isAsked` says whether an upstream that has a place is one of those of now. */
  constructor(
    cells: Int32Array,
    isAsked: (text: string) => boolean,
    { from, max_fails, no_0x20 }: Pick<ForwardConfig, 'from' | 'max_fails' | 'no_0x20'>,
    services: ControlServices,
  ) {
    this.#cells = cells;
    this.#isAsked = isAsked;
    this.#zones = from.join(',');
    this.#maxFails = max_fails;
    this.#isMixing = !no_0x20;
    this.#services = services;
  }

  /** A row for each upstream and transport that was used. */
  readonly run = (args: readonly string[]): readonly Row[] => {
    if (args.length > 0) throw new CommandError('upstreams takes no arguments');
    const lines = HealthCells.all(this.#cells)
      .filter(({ text }) => this.#isAsked(text))
      .flatMap((place) => linesOf(this.#cells, place));
    const sent = lines.reduce((sum, { latency }) => sum + latency.sent, 0);
    const counts = this.#counts();
    return lines.map((line) => this.#row(line, sent, counts));
  };

  #row({ place, text, to, proto, latency }: Line, sent: number, counts: Counts): Row {
    const state = this.#stateOf(place);
    const hits = counts(HITS, to, proto);
    return {
      zones: this.#zones,
      upstream: text,
      transport: proto,
      state,
      rtt_ms: rounded(latency.srttMs),
      p50_ms: rounded(latency.p50Ms),
      p95_ms: rounded(latency.p95Ms),
      share_percent: percent(latency.sent, sent),
      sent: latency.sent,
      failed: latency.failed,
      errors_percent: rounded(100 * latency.errorShare),
      pool: counts(OPEN, to, proto),
      reused_percent: percent(hits, hits + counts(MISSES, to, proto)),
      case: proto === 'udp' ? this.#caseOf(place) : '',
      why: state === 'trusted' ? '' : whyOf(place, this.#services.clock.nowMs),
    };
  }

  /** In which case questions over UDP are sent, and come back. */
  #caseOf(place: HealthCells): 'mixed' | 'folded' | 'kept' {
    if (!this.#isMixing) return 'kept';
    return place.foldedUntil > this.#services.clock.nowMs / 1000 ? 'folded' : 'mixed';
  }

  #stateOf(place: HealthCells): State {
    if (this.#maxFails > 0 && place.fails > this.#maxFails) return 'down';
    if (place.suspectSince === 0) return 'trusted';
    // Whoever asks it next finds that the time is over.
    const isHeld = this.#maxFails === 0 || place.cause === Cause.ERRORS;
    return isHeld && agoMs(place, this.#services.clock.nowMs) >= HOLD_MS ? 'trusted' : 'suspected';
  }

  /** What all workers count of the sockets and connections to each upstream. */
  #counts(): Counts {
    const counts = new Map<string, number>();
    for (const { name, samples } of this.#services.get(METRIC_SOURCE).families()) {
      if (name !== HITS && name !== MISSES && name !== OPEN) continue;
      for (const { labels, values } of samples) {
        counts.set(`${name} ${labels.to} ${labels.proto}`, values[0] ?? 0);
      }
    }
    return (name, to, proto) => counts.get(`${name} ${to} ${proto}`) ?? 0;
  }
}

/** A metric of one upstream and transport, 0 without. */
type Counts = (name: string, to: string, proto: string) => number;

function linesOf(cells: Int32Array, place: HealthCells): readonly Line[] {
  const { text } = place;
  const encrypted = TRANSPORTS.find(({ prefix }) => text.startsWith(prefix));
  const streams = summarize(cells, place.latencyAt(true));
  if (encrypted !== undefined) {
    const { prefix, proto } = encrypted;
    const [to = ''] = text.slice(prefix.length).split('/');
    return [{ place, text, to, proto, latency: streams }];
  }
  const datagrams = summarize(cells, place.latencyAt(false));
  const udp = { place, text, to: text, proto: 'udp', latency: datagrams };
  const tcp = { place, text, to: text, proto: 'tcp', latency: streams };
  if (streams.sent === 0) return [udp];
  return datagrams.sent === 0 ? [tcp] : [udp, tcp];
}

function whyOf(place: HealthCells, nowMs: number): string {
  const seconds = Math.round(agoMs(place, nowMs) / 1000);
  const probes = place.fails === 0 ? '' : `, ${place.fails} probes failed`;
  return `${CAUSES[place.cause]} ${seconds} s ago${probes}`;
}

function agoMs(place: HealthCells, nowMs: number): number {
  return ((nowMs | 0) - place.suspectSince) | 0;
}

function percent(part: number, whole: number): number | null {
  return whole === 0 ? null : rounded((100 * part) / whole);
}

function rounded(n: number): number {
  return Math.round(n * 100) / 100;
}

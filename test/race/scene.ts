// The server under the race: its configuration, and what the checker knows of it.
import { fileURLToPath } from 'node:url';
import type { ZoneRules } from './timing.js';

export interface SceneOptions {
  readonly port: number;
  readonly metricsPort: number;
  readonly upstreams: readonly number[];
  /** For snapshots. */
  readonly folder: string;
  /** Part of the replies that are changed on their way to the client, so that the race must fail. */
  readonly lies: number;
}

interface Scene {
  readonly zone: string;
  readonly rules: ZoneRules;
  readonly cache: string;
  readonly negative: string;
}

/** No record of the upstream has it. */
const STALE_TTL = 7777;
const FAILURE_MS = 4000;
const none = { staleTtl: STALE_TTL, failureMs: FAILURE_MS, keepsTtl: false, isLimited: false };

/** One zone each for the ways a cache can be told to work. */
const SCENES: readonly Scene[] = [
  {
    zone: 'immediate.test',
    rules: { ...none, staleMs: 3000 },
    cache: `serve_stale 3s immediate ${STALE_TTL}s`,
    negative: 'failures 1s 4s\n        zone_limit off',
  },
  {
    zone: 'verify.test',
    rules: { ...none, staleMs: 3000 },
    cache: `serve_stale 3s verify 60ms ${STALE_TTL}s 1s`,
    negative: 'failures 1s 4s\n        cut on\n        zone_limit off',
  },
  {
    zone: 'positive.test',
    rules: { ...none, staleMs: 2000 },
    cache: `serve_stale 2s verify 0s ${STALE_TTL}s\n        serve_stale_policy prefer_positive`,
    negative: 'failures 1s 4s\n        zone_limit off',
  },
  {
    zone: 'fresh.test',
    rules: { ...none, staleMs: 0, isLimited: true },
    cache: '',
    negative: 'failures 1s 4s\n        zone_limit 100',
  },
  {
    zone: 'keep.test',
    rules: { ...none, staleMs: 0, keepsTtl: true },
    cache: 'keepttl',
    negative: 'failures 1s 4s\n        cut off\n        zone_limit off',
  },
];

export const ZONES = SCENES.map(({ zone }) => zone);

export function rulesOf(): Record<string, ZoneRules> {
  return Object.fromEntries(SCENES.map(({ zone, rules }) => [zone, rules]));
}

export function corefileOf(options: SceneOptions): string {
  const { port, metricsPort, upstreams, folder, lies } = options;
  const to = upstreams.map((upstream) => `127.0.0.1:${upstream}`).join(' ');
  const blocks = SCENES.map(
    ({ zone, cache, negative }) => `${zone}:${port} {
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:${metricsPort}
    saboteur ${lies}
    ecs
    tap ${folder}/${REASONS}
    cache 3600 {
        success 1024 3600 0
        denial 1024 1800 0
        size 2MiB
        networks 30
        prefetch 2 10s 50%
        persist ${folder}/${zone} 1s
        ${cache}
    }
    negative {
        ttl 0 1h
        ${negative}
    }
    dedupe
    forward . ${to}
}
`,
  );
  return `plugin ${fileOf('saboteur')}\nplugin ${fileOf('tap')}\n${blocks.join('')}`;
}

function fileOf(plugin: string): string {
  return fileURLToPath(new URL(`./${plugin}-plugin.js`, import.meta.url));
}

/** The file in the folder that the tap writes to. */
export const REASONS = 'reasons';

// Servers side by side: each started on one core in a folder of its own, in front of one upstream that shares the load's core.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Peer } from './peers.js';
import { MeasuredProcess } from './process.js';
import { writeCertificate } from './upstream-certificate.js';

export const SERVER_CPU = 0;
export const LOAD_CPU = 1;

/** Until servers listen; the slowest to start takes about one second. */
const START_MS = 1500;

/** Between the ports of two servers: some open another one beside theirs. */
const PORT_STEP = 10;

/** A server that is measured. */
export interface Contestant {
  readonly peer: Peer;
  readonly port: number;
  readonly process: MeasuredProcess;
}

export interface ArenaOptions {
  readonly peers: readonly Peer[];
  /** Names of those that take part, `undefined` for all that are installed. */
  readonly only: readonly string[] | undefined;
  /** Script beside this file that answers as the upstream; its first argument is the port. */
  readonly authority: 'authority.js' | 'stream-authority.js' | 'https-authority.js';
  /** It has a certificate: the second argument is the folder with that. */
  readonly isSecure?: boolean;
  /** The upstream's port; the servers' follow it. */
  readonly firstPort: number;
}

/** Starts all of them and calls `run` when they serve; ends them whatever comes of it. Says which are not installed. */
export async function inArena(
  options: ArenaOptions,
  run: (contestants: readonly Contestant[]) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'heimdall-bench-'));
  const script = new URL(options.authority, import.meta.url).pathname;
  const command = [process.execPath, script, String(options.firstPort)];
  if (options.isSecure === true) {
    writeCertificate(folder);
    command.push(folder);
  }
  const upstream = new MeasuredProcess(command, LOAD_CPU);
  const contestants = startAll(options, folder);
  try {
    await new Promise((resolve) => setTimeout(resolve, START_MS));
    for (const c of contestants) {
      if (!c.process.isRunning) throw new Error(`${c.peer.name} did not start`);
    }
    await run(contestants);
  } finally {
    await Promise.all([upstream.stop(), ...contestants.map((c) => c.process.stop())]);
    rmSync(folder, { recursive: true, force: true });
  }
}

function startAll(options: ArenaOptions, folder: string): Contestant[] {
  const { peers, only, firstPort } = options;
  const started: Contestant[] = [];
  for (const [i, peer] of peers.entries()) {
    if (only !== undefined && !only.includes(peer.name)) continue;
    const port = firstPort + (i + 1) * PORT_STEP;
    const own = join(folder, peer.name);
    mkdirSync(own);
    const command = peer.command(own, port, firstPort);
    if (command === undefined) console.log(`${peer.name}: not installed`);
    else started.push({ peer, port, process: new MeasuredProcess(command, SERVER_CPU) });
  }
  return started;
}

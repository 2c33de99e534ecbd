// Off-path spoofing at full speed: somebody sends forged answers of the upstream while clients ask. Nobody ever gets one.
//
// HEIMDALL_SPOOFING_SECONDS says how long each flood takes: 60 for figures, 2 when it is not set.
import assert from 'node:assert/strict';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Child } from '../lib/child.js';
import { startHeimdall } from '../lib/heimdall.js';
import { startNamespace } from '../lib/namespace.js';
import { type SceneOptions, type SceneResult, UPSTREAM } from '../lib/spoofing-scene.js';
import { needNamespaces } from '../lib/tools.js';

const SECONDS = Number(process.env.HEIMDALL_SPOOFING_SECONDS ?? 2);
const PORT = 53;
const METRICS_PORT = 9153;

/** Beside the flood itself: what is under way at its end may wait for its time-out. */
const SLACK_MS = 90_000;

const SCENE = fileURLToPath(new URL('../lib/spoofing-scene.js', import.meta.url));

for (const knowsPorts of [false, true]) {
  const who = knowsPorts ? 'who knows the ports in use' : 'who guesses ports as well';
  test(`spoofing: one ${who} has no forged answer accepted`, {
    ...needNamespaces(),
    timeout: SECONDS * 1000 + 2 * SLACK_MS,
  }, async (t) => {
    const namespace = await startNamespace('nameserver 127.0.0.1\n');
    t.after(() => namespace.stop());
    // No cache and no dedupe: every query of a client gives the forger another chance.
    const heimdall = await startHeimdall(
      `.:${PORT} {
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:${METRICS_PORT}
    forward . ${UPSTREAM.address}:${UPSTREAM.port}
}
`,
      { namespace, args: ['-workers', '1'] },
    );
    t.after(() => heimdall.stop());
    const options: SceneOptions = {
      port: PORT,
      metricsPort: METRICS_PORT,
      ms: SECONDS * 1000,
      knowsPorts,
    };
    const scene = await Child.start({
      command: [...namespace.enter(), process.execPath, SCENE, JSON.stringify(options)],
      ready: /^/,
    });
    t.after(() => scene.stop());
    await scene.waitFor(/\}\n$/, SECONDS * 1000 + SLACK_MS);
    const result = JSON.parse(scene.stdout) as SceneResult;
    const { metrics, ...figures } = result;
    const seen = {
      guesses: sumOf(metrics, 'coredns_forward_spoof_attempts_total'),
      dropped:
        sumOf(metrics, 'coredns_forward_unexpected_replies_total') +
        sumOf(metrics, 'coredns_forward_mismatched_replies_total'),
      socketsGivenUp: sumOf(metrics, 'coredns_forward_distrusted_sockets_total'),
      movedToTcp: sumOf(metrics, 'coredns_forward_unbelieved_queries_total'),
      repeats: sumOf(metrics, 'coredns_forward_repeats_total'),
    };
    t.diagnostic(JSON.stringify({ seconds: SECONDS, ...figures, ...seen }));

    assert.equal(result.isForgeable, true, 'what the forger sends would never be taken');
    assert.equal(result.forgeries, 0);
    assert.ok(result.datagramsForged > 1000 * SECONDS, String(result.datagramsForged));
    // One in 8000 that are sent to any port finds one of 8 sockets.
    if (knowsPorts || result.datagramsForged > 200_000) assert.ok(seen.guesses > 0);
    const asked = result.truths + result.failures + result.unanswered;
    assert.ok(result.truths >= 0.9 * asked, `${result.truths} of ${asked}`);
    if (!knowsPorts) return;
    assert.ok(seen.socketsGivenUp > 0);
    assert.ok(seen.movedToTcp > 0);
    await heimdall.waitFor(/somebody may be forging answers of upstream 127\.0\.0\.53:5300/);
  });
}

/** The sum of all series of a metric. */
function sumOf(metrics: string, name: string): number {
  let sum = 0;
  for (const line of metrics.split('\n')) {
    if (line.startsWith(`${name}{`)) sum += Number(line.slice(line.lastIndexOf(' ')));
  }
  return sum;
}

// Metrics registered and metrics documented are the same.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { markdownFiles, pluginNames, readText, sourceFiles } from '../lib/repository.js';

/** The namespace that names have unless *prometheus* is told another. */
const NAMESPACE = 'coredns_';

/** Metrics of the server itself are documented where they are exposed. */
const CORE_PAGE = 'plugins/prometheus/README.md';

const LINE = /\b(counter|gauge|histogram)\(\s*'(\/?[a-z0-9_]+)'/g;

const core = registered((file) => file.startsWith('core/'), 'server');

for (const plugin of pluginNames()) {
  test(`metrics: ${plugin} documents what it registers, and nothing else`, () => {
    const own = registered((file) => file.startsWith(`plugins/${plugin}/`), plugin);
    const page = `plugins/${plugin}/README.md`;
    const wanted = page === CORE_PAGE ? [...own, ...core] : own;
    assert.deepEqual(documented(page), [...new Set(wanted)].sort());
  });
}

test('metrics: what a running server shows is documented', async (t) => {
  const [dns, http, health, ready] = await Promise.all([1, 2, 3, 4].map(() => freePort()));
  const heimdall = await startHeimdall(`.:${dns} {
    bind 127.0.0.1
    errors
    log
    prometheus 127.0.0.1:${http} {
        runtime_metrics
    }
    health 127.0.0.1:${health}
    ready 127.0.0.1:${ready}
    cache
    dedupe
    forward . 127.0.0.1:9
}
`);
  t.after(() => heimdall.stop());
  const response = await fetch(`http://127.0.0.1:${http}/metrics`);
  const shown = [...(await response.text()).matchAll(/^# TYPE (\S+)/gm)].map((m) => m[1] as string);
  const known = new Set(markdownFiles().flatMap(documented));
  assert.ok(shown.length > 0);
  assert.deepEqual(
    shown.filter((name) => name.startsWith(NAMESPACE) && !known.has(name)),
    [],
  );
});

/** Full names of the metrics that these files register. */
function registered(isMeant: (file: string) => boolean, scope: string): readonly string[] {
  const names = sourceFiles()
    .filter((file) => isMeant(file) && !file.endsWith('.test.ts') && !file.includes('testing'))
    .flatMap((file) => [...readText(file).matchAll(LINE)].map((match) => match[2] as string))
    .map((name) => NAMESPACE + (name.startsWith('/') ? name.slice(1) : `${scope}_${name}`));
  return [...new Set(names)].sort();
}

/** Names that a page's Metrics section lists. */
function documented(page: string): readonly string[] {
  const section =
    readText(page)
      .split(/^## Metrics$/m)[1]
      ?.split(/^## /m)[0] ?? '';
  const names = [...section.matchAll(/`([a-z0-9_]+)[`{]/g)].map((match) => match[1] as string);
  return [...new Set(names.filter((name) => name.startsWith(NAMESPACE)))].sort();
}

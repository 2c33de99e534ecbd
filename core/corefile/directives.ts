// Which directives exist: here, or in CoreDNS only.
import type { Configuration, Problem, Token } from './model.js';
import { problemAt, quote } from './problems.js';
import { hint } from './suggest.js';

/** Every directive of CoreDNS 1.14 (its plugin.cfg), so that one not available here is told from a misspelt one. */
export const COREDNS_DIRECTIVES: readonly string[] = (
  'root metadata geoip cancel proxyproto quic grpc_server https https3 timeouts multisocket reload nsid bufsize bind debug trace ' +
  'ready health pprof shed prometheus errors log dnstap local dns64 any chaos loadbalance tsig rewrite autopath acl cache header ' +
  'dnssec tls minimal template transfer hosts route53 azure clouddns k8s_external kubernetes file auto secondary etcd loop ' +
  'forward grpc erratic whoami on sign view nomad'
).split(' ');

/** A problem for every directive that is not among `known`, and for every such name in an `order`. */
export function checkDirectives(configuration: Configuration, known: readonly string[]): Problem[] {
  const names = new Set(known);
  const problems: Problem[] = [];
  for (const block of configuration.blocks) {
    for (const { name } of block.directives) {
      if (!names.has(name.text) && name.text !== '') problems.push(unknown(name, '', known));
    }
    for (const text of block.order ?? []) {
      if (names.has(text) || block.orderAt === undefined) continue;
      problems.push(unknown({ ...block.orderAt, text }, 'order', known));
    }
  }
  return problems;
}

function unknown(name: Token, within: string, known: readonly string[]): Problem {
  if (name.text === 'plugin') {
    return problemAt(name, 'plugin', 'stands in a server block, want it outside of them');
  }
  if (COREDNS_DIRECTIVES.includes(name.text)) {
    return problemAt(
      name,
      within,
      `directive ${quote(name.text)} of CoreDNS is not available here`,
    );
  }
  const candidates = within === '' ? [...known, 'order', 'import'] : known;
  const message = `unknown directive ${quote(name.text)}${hint(name.text, candidates)}`;
  return problemAt(name, within, message);
}

// The *forward* directive: every occurrence is a step of its own, in written order.
import { createTlsContext, definePlugin, type Services } from '../../core/plugin.js';
import { ForwardControl } from './control.js';
import { Forward, type ForwardOptions } from './forward.js';
import { hashOf } from './health-cells.js';
import { type Published, publish } from './publish.js';
import { type ForwardConfig, forwardSyntax, hedgeShare, idleTimes, rcodeMask } from './syntax.js';

export default definePlugin({
  name: 'forward',
  servesAllClasses: true,
  syntax: forwardSyntax,
  setup(config, services) {
    const published = publishedOf(config, services);
    return new Forward(published, optionsOf(config, published), services);
  },
  control: (config, services) => new ForwardControl(config, services),
});

function publishedOf(config: ForwardConfig, services: Services): Published {
  // Without a control part (a handler by itself) the worker reads what it needs.
  return (services.published as Published | undefined) ?? publish(config, services.workers);
}

function optionsOf(config: ForwardConfig, { tls, cells }: Published): ForwardOptions {
  const [intervalMs, probe] = config.health_check;
  const isPlainOnly = config.to.every((to) => to.kind === 'file' || to.scheme === 'dns');
  return {
    origin: hashOf(
      config.to
        .map((target) => JSON.stringify(target))
        .sort()
        .join(' '),
    ),
    from: config.from,
    except: config.except,
    preferUdp: config.prefer_udp,
    readTimeoutMs: config.read_timeout,
    maxAttempts: config.max_connect_attempts,
    maxConcurrent: config.max_concurrent,
    isFailFast: config.failfast_all_unhealthy_upstreams,
    failoverMask: rcodeMask(config.failover),
    nextMask: rcodeMask(config.next),
    isNextOnNodata: config.next_on_nodata,
    policy: config.policy,
    parallel: config.parallel,
    hedgeShare: hedgeShare(config),
    logsDisagreements: config.log_disagreements,
    upstream: {
      cells,
      mixesCase: !config.no_0x20,
      health: { maxFails: config.max_fails, intervalMs, ...probe },
      sourceAddress: config.source_address,
      tlsContext: isPlainOnly ? undefined : createTlsContext(tls),
      servername: config.tls_servername,
      hasAuthority: config.tls?.ca !== undefined,
      pins: config.tls_pin,
      isInsecure: config.tls_insecure,
      forceTcp: config.force_tcp,
      dohMethod: config.doh_method,
      ...idleTimes(config),
      maxAgeMs: config.max_age,
      maxIdle: config.max_idle_conns,
    },
  };
}

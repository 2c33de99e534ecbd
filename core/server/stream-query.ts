// One message of a stream through gate, route and chain: what TCP, and later TLS and HTTPS, do with a whole message.
import { DnsError } from '../chain/errors.js';
import { Pending } from '../chain/pending.js';
import type { Query } from '../chain/query.js';
import { Reply } from '../chain/reply.js';
import { accept, rejectInto, Verdict } from '../wire/accept.js';
import { Ede, Rcode } from '../wire/constants.js';
import type { Router } from './router.js';
import type { ServerSink, Shared } from './shared.js';

export const FAULT = new DnsError('ERR_PLUGIN_FAULT');

const OVERLOAD = new DnsError('ERR_OVERLOAD');

/** What `serveMessage` gives besides a reply or the length of a finished message in `q.out`. */
export const NOTHING = 0;
export const LATER = -1;

/**
 * Serves `q`, whose message and addresses are set and whose `out` is `streamOut`. Gives the reply to finish and send, the length of a
 * message that is finished already, NOTHING to send, or LATER when the query's sink will be told.
 */
export function serveMessage(shared: Shared, router: Router, q: Query): Reply | number {
  const { counters } = shared;
  const verdict = accept(q);
  if (verdict !== Verdict.ACCEPT) {
    counters.rejected[verdict]?.inc();
    return verdict === Verdict.IGNORE ? NOTHING : rejectInto(q, verdict, q.out);
  }
  const route = router.find(q);
  if (route === undefined) {
    counters.refused.inc();
    return q.replyRcode(Rcode.REFUSED, Ede.NOT_AUTHORITATIVE);
  }
  q.zone = route.zone;
  q.chain = route.chain;
  try {
    const answer = route.chain.run(q);
    if (answer instanceof Reply) return answer;
    park(shared, q, answer);
    return LATER;
  } catch (error) {
    shared.reportFault(q, error);
    return q.replyError(FAULT);
  }
}

/**
 * Keeps a query whose reply comes later, with a message of its own, and has its sink told. Past the limit of waiting queries it is answered
 * SERVFAIL now.
 */
export function park(shared: Shared, q: Query, answer: PromiseLike<Reply>): void {
  const sink = q.sink as ServerSink;
  q.retain();
  const isAdded = shared.parked.add(q);
  if (answer instanceof Pending) {
    q.out = shared.scratch;
  } else {
    // What a promise's handler writes must survive until it is done, so it gets a buffer of its own.
    q.moveOut(new Uint8Array(q.out.length));
    (answer as PromiseLike<Reply>).then(
      (reply) => {
        if (reply instanceof Reply) sink.deliver(q, reply);
        else sink.fault(q, new TypeError('serve gave something that is not a reply'));
      },
      (error: unknown) => sink.fault(q, error),
    );
  }
  if (isAdded) return;
  shared.limits.queries.inc();
  sink.expire(q, OVERLOAD);
}

// The whole public authoring API: everything a plugin imports from the server.
export { DnsError, type ErrorCode } from './chain/errors.js';
export {
  type Control,
  definePlugin,
  type Handler,
  type Next,
  type Plugin,
} from './chain/handler.js';
export { type Answer, type Continuation, whenDone } from './chain/pending.js';
export { QNAME_OFFSET, Query, type ReplySink, Transport } from './chain/query.js';
export { Reply } from './chain/reply.js';
export * from './chain/services.js';
export { TIMERS } from './container/tokens.js';
export * from './wire/constants.js';
export { parseName } from './wire/name.js';
export { addressOffset, addressText, familyOf } from './wire/sockaddr.js';

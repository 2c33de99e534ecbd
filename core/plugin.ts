// The whole public authoring API: everything a plugin imports from the server.
export { DnsError, type ErrorCode } from './chain/errors.js';
export {
  type BlockSettings,
  type Control,
  definePlugin,
  type Handler,
  type Next,
  type Plugin,
} from './chain/handler.js';
export { type Answer, type Continuation, Pending, whenDone } from './chain/pending.js';
export {
  QNAME_OFFSET,
  Query,
  type RecordFiller,
  type RecordOptions,
  type ReplySink,
  SOCKADDR_BYTES,
  Transport,
} from './chain/query.js';
export { Reply } from './chain/reply.js';
export * from './chain/services.js';
export { ZoneSet } from './chain/zone-set.js';
export { CommandError, type CommandRunner, type Commands, type Row } from './container/commands.js';
export type {
  EndpointAddress,
  EndpointAnswer,
  Endpoints,
  MetricFamily,
  MetricSample,
  MetricSource,
  Mount,
  ProcessState,
  Responder,
  SecureEndpoint,
} from './container/process.js';
export type { Signal } from './container/signal.js';
export {
  COMMANDS,
  ENDPOINTS,
  METRIC_SOURCE,
  PROCESS,
  SOCKETS,
  TIMERS,
  UPSTREAM_CHANGES,
} from './container/tokens.js';
export type { SnapshotLoad, SnapshotSection } from './control/snapshot-file.js';
export {
  SnapshotKeeper,
  type SnapshotOptions,
  type SnapshotSaved,
} from './control/snapshot-keeper.js';
export { type ConfigData, defineConfig } from './corefile/define-config.js';
export { type DirectiveSyntax, directive } from './corefile/directive.js';
export { Field, type ValueOf } from './corefile/field.js';
export { zonesOfArgument } from './corefile/keys.js';
export { custom, flag, tuple, words, zones } from './corefile/lines.js';
export type { Directive, Problem, Property, Token as ConfigToken } from './corefile/model.js';
export { either } from './corefile/problems.js';
export { compileRegex } from './corefile/regex.js';
export type { Syntax, SyntaxContext } from './corefile/syntax.js';
export { formatSize, parseDuration } from './corefile/units.js';
export { ValueError } from './corefile/value-error.js';
export {
  bytes,
  duration,
  file,
  type HostPort,
  hostPort,
  integer,
  ip,
  number,
  oneOf,
  regex,
  text,
  value,
  zone,
} from './corefile/values.js';
export * from './memory/cells.js';
export * from './memory/claims.js';
export { List as SlabList } from './memory/clocks.js';
export { minSlabBytes, type SlabGeometry, slabBytes, slabGeometry } from './memory/geometry.js';
export { Hasher } from './memory/hash.js';
export { takeOver, tryLock, unlock } from './memory/lock.js';
export { allocateMailboxes, Mailboxes } from './memory/mailboxes.js';
export { Cause as SlabCause } from './memory/shard.js';
export { type SlabKey, SlabReader } from './memory/slab-reader.js';
export { SlabWalker } from './memory/slab-walker.js';
export { BUSY, CONTROL_OWNER, SlabWriter } from './memory/slab-writer.js';
export type { Batch } from './system/sockets.js';
export type { ConnectionCounters } from './upstream/connection-pool.js';
export * from './upstream/exchange.js';
export { HttpsPool } from './upstream/https-pool.js';
export { unmixOwners } from './upstream/letter-case.js';
export { dropEcs, dropOpt, rejectsEcs, writeQuery, writeQuestion } from './upstream/message.js';
export { random32, randomBelow } from './upstream/random.js';
export { StreamPool } from './upstream/stream-pool.js';
export { createTlsContext, type StreamTls } from './upstream/tls.js';
export {
  type CarrierCounters,
  createReceiveBatch,
  type UdpCounters,
  UdpPool,
} from './upstream/udp-pool.js';
export { type MessageBuilder, Section, type SoaData, type SrvData } from './wire/builder.js';
export * from './wire/constants.js';
export { EcsAt, EcsFamily, ecsScopeOf, maskAddress } from './wire/ecs.js';
export { extendedRcode, findOption, optionEnd } from './wire/edns.js';
export type { Layout } from './wire/layout.js';
export {
  equalFolded,
  equalNames,
  formatName,
  NameError,
  parseName,
  readName,
  skipName,
} from './wire/name.js';
export { type PresentedRecord, presentRecords } from './wire/presentation.js';
export { shiftPointers } from './wire/rdata.js';
export { addDecoded } from './wire/records.js';
export {
  addressOffset,
  addressText,
  familyOf,
  parseAddress,
  v4Text,
  v6Text,
} from './wire/sockaddr.js';

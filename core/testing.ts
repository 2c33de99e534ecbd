// Public test kit for plugins: a clock to advance, queries made from text, a handler asked without a network, a real scripted upstream.
export { HttpEndpoints } from './control/endpoints.js';
export { createSocketLayer } from './system/layer.js';
export { FakeClock, FakeTimers } from './testing/clock.js';
export { FakeCommands } from './testing/commands.js';
export { directiveProblems, parseDirective } from './testing/directive.js';
export {
  ask,
  type DecodedReply,
  makeQuery,
  type QueryOptions,
  replyFrom,
  TestSink,
} from './testing/query.js';
export { FakeMetrics, type FakeServicesOptions, fakeServices } from './testing/services.js';
export { frame, type StreamAnswer, serveStreams } from './testing/streams.js';
export { FakeUpstream, type Script } from './testing/upstream.js';

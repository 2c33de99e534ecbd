// A plugin for the race, in front of all others: ends workers at any of their accesses to shared memory, so with locks held and entries half written; and changes a part
// of the replies, if it is told to. `heimdall saboteur kill` marks a worker, which looks at each query whether it is to die.
import {
  COMMANDS,
  type ControlServices,
  definePlugin,
  directive,
  number,
  type Reply,
  whenDone,
} from 'heimdall';

const WORKERS = 2;
/** It ends at one of the next so many accesses. */
const ACCESSES = 40;
/** Where header and, mostly, question are over. */
const BODY_AT = 40;
const DOOMED = 1;

/** One for all server blocks of the process. */
let doomed: Int32Array | undefined;

export default definePlugin({
  name: 'saboteur',
  before: 'ecs',
  syntax: directive({ args: { lies: number({ min: 0, max: 1 }) } }),
  setup({ lies }, { worker, published }) {
    const marks = published as Int32Array;
    const lie = (reply: Reply): Reply => (Math.random() < lies ? changed(reply) : reply);
    return {
      serve(q, next) {
        if (marks[worker] === DOOMED) {
          marks[worker] = 0;
          endSoon();
        }
        return lies === 0 ? next(q) : whenDone(next(q), lie);
      },
    };
  },
  control(_config, services) {
    doomed ??= allocate(services);
    return { published: doomed };
  },
});

function allocate(services: ControlServices): Int32Array {
  const marks = new Int32Array(new SharedArrayBuffer(WORKERS * Int32Array.BYTES_PER_ELEMENT));
  services.get(COMMANDS).add('saboteur', 'kill', () => {
    marks[Math.floor(Math.random() * WORKERS)] = DOOMED;
    return [];
  });
  return marks;
}

/** Ends this thread within one of its next accesses to shared memory. */
function endSoon(): void {
  let left = Math.floor(Math.random() * ACCESSES);
  const count = (): void => {
    if (left-- === 0) process.exit(3);
  };
  const { load, store, compareExchange } = Atomics;
  Object.assign(Atomics, {
    load: (cells: Int32Array, at: number) => {
      count();
      return load(cells, at);
    },
    store: (cells: Int32Array, at: number, value: number) => {
      count();
      return store(cells, at, value);
    },
    compareExchange: (cells: Int32Array, at: number, from: number, to: number) => {
      count();
      return compareExchange(cells, at, from, to);
    },
  });
}

/** A copy with one bit of it changed. */
function changed(reply: Reply): Reply {
  if (reply.length <= BODY_AT) return reply;
  const copy = reply.copy();
  const at = BODY_AT + Math.floor(Math.random() * (copy.length - BODY_AT));
  copy.wire[at] = (copy.wire[at] as number) ^ (1 << Math.floor(Math.random() * 8));
  return copy;
}

// A plugin for benchmarks: profiles the processor and the heap of the worker's thread from start to stop, with the inspector inside of it, and writes
// `worker.cpuprofile` and `worker.heapprofile` to the folder it is given. Passes every query on.
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';
import { definePlugin, directive, type Handler, text } from 'heimdall';

const SAMPLE_US = 500;
/** One sample for so many bytes allocated: little is allocated, so it is looked at closely. */
const HEAP_SAMPLE_BYTES = 4096;

function createProfiler(folder: string): Handler {
  const session = new Session();
  session.connect();
  // With a session of the own thread the answers come before `post` returns.
  const ask = (method: string, parameters: object = {}): unknown => {
    let result: unknown;
    session.post(method, parameters, (error, answer: unknown) => {
      if (error !== null) throw error;
      result = answer;
    });
    return result;
  };
  const save = (name: string, answer: unknown): void => {
    const { profile } = answer as { readonly profile: unknown };
    writeFileSync(join(folder, name), JSON.stringify(profile));
  };
  return {
    onStart() {
      ask('Profiler.enable');
      ask('Profiler.setSamplingInterval', { interval: SAMPLE_US });
      ask('HeapProfiler.startSampling', {
        samplingInterval: HEAP_SAMPLE_BYTES,
        // What was collected again is what matters here.
        includeObjectsCollectedByMajorGC: true,
        includeObjectsCollectedByMinorGC: true,
      });
      ask('Profiler.start');
    },
    serve: (q, next) => next(q),
    onStop() {
      save('worker.cpuprofile', ask('Profiler.stop'));
      save('worker.heapprofile', ask('HeapProfiler.stopSampling'));
      session.disconnect();
    },
  };
}

export default definePlugin({
  name: 'profiler',
  before: 'cache',
  syntax: directive({ args: { folder: text() } }),
  setup: ({ folder }) => createProfiler(folder),
});

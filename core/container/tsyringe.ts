// tsyringe as the composition roots use it: its container and one-per-container factories. Loaded without `import`, which would cost a thread 6 MB.
import { commonjs } from '../system/commonjs.js';

// tsyringe throws without it, although no decorator is used.
commonjs('reflect-metadata');

const tsyringe = commonjs('tsyringe') as typeof import('tsyringe');

/** The container that every other one is a child of. */
export const root = tsyringe.container;

export const instanceCachingFactory = tsyringe.instanceCachingFactory;

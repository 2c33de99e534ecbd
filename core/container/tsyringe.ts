// tsyringe as the composition roots use it: its container and one-per-container factories. The bundle has it inside, because its 33 files cost a thread 5 MB.
// It throws without this, although no decorator is used.
import 'reflect-metadata';

import { container, instanceCachingFactory } from 'tsyringe';

export { instanceCachingFactory };

/** The container that every other one is a child of. */
export const root = container;

// A sign from one control part to others that something changed: who raises it need not know who listens.

export interface Signal {
  /** Calls every listener, one after the other, in the order they came; what one throws does not keep the others from hearing. */
  raise(): void;
  /** Calls `listener` from now on; the function it gives takes it back. */
  listen(listener: () => void): () => void;
}

export function createSignal(onFault: (error: unknown) => void): Signal {
  const listeners = new Set<() => void>();
  return {
    raise: () => {
      for (const listener of [...listeners]) {
        try {
          listener();
        } catch (error) {
          onFault(error);
        }
      }
    },
    listen: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

// The built-in plugins in chain order, front to back, with the reason for each neighbour. CoreDNS's order with ours placed among it. Names
// only: what a server does not use is never loaded.

/** Plugins of third parties that do not say where they stand are placed in front of this one: behind what observes, before what answers. */
export const THIRD_PARTY_BEFORE = 'cache';

export const ORDER: readonly { readonly name: string; readonly why: string }[] = [
  { name: 'root', why: 'first of all: the base of every file name read below' },
  { name: 'bind', why: 'before anything that needs to know the addresses of the block' },
  { name: 'debug', why: 'before the first plugin that writes a line' },
  { name: 'ready', why: 'no step of the chain; its endpoint is up before the workers are' },
  { name: 'health', why: 'no step of the chain; beside ready' },
  { name: 'prometheus', why: 'in front of all that can answer, so that every reply is counted' },
  { name: 'errors', why: 'behind prometheus and in front of all that can fail' },
  { name: 'log', why: 'behind errors, as in CoreDNS; sees replies from the cache as well' },
  { name: 'ecs', why: 'in front of cache: which answers are whose depends on it' },
  { name: 'cache', why: 'in front of all that costs time' },
  { name: 'negative', why: 'part of cache: no step of the chain' },
  { name: 'prefetch', why: 'part of cache: no step of the chain' },
  {
    name: 'loop',
    why: 'behind cache, which answers nothing it watches for; in front of dedupe, where a query that comes back would wait for itself',
  },
  { name: 'dedupe', why: 'behind cache: only misses are worth joining; in front of forward' },
  { name: 'forward', why: 'behind dedupe, so that one question is asked once' },
  { name: 'whoami', why: 'last: it answers everything that comes this far' },
];

/** The names alone. */
export const BUILT_IN: readonly string[] = ORDER.map(({ name }) => name);

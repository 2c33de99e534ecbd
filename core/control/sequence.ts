// In what order the plugins of a server block stand: built-in order, third parties among it, and what `order` says for one block.
import type { StepPlan } from '../chain/plan.js';

/** A third-party plugin's wish. */
export interface Placement {
  readonly name: string;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
}

/**
 * All plugin names front to back. Third parties stand directly before or after the plugin they name, those that name the same in the order
 * given; without a wish before `fallback`. `refuse` is told of one whose neighbour does not exist; it stands before `fallback` then.
 */
export function sequence(
  builtIn: readonly string[],
  thirdParty: readonly Placement[],
  fallback: string,
  refuse: (name: string, neighbour: string) => void,
): string[] {
  const names = [...builtIn];
  const waiting = [...thirdParty];
  // A plugin may stand beside another third party's, so whoever finds its neighbour is placed, until nobody does.
  for (let placed = true; placed; ) {
    placed = false;
    for (const plugin of [...waiting]) {
      const at = placeOf(names, plugin, fallback, builtIn);
      if (at < 0) continue;
      names.splice(at, 0, plugin.name);
      waiting.splice(waiting.indexOf(plugin), 1);
      placed = true;
    }
  }
  for (const { name, before, after } of waiting) {
    refuse(name, before ?? after ?? fallback);
    names.splice(names.indexOf(fallback), 0, name);
  }
  return names;
}

function placeOf(
  names: readonly string[],
  { before, after }: Placement,
  fallback: string,
  builtIn: readonly string[],
): number {
  if (after === undefined || before !== undefined) return names.indexOf(before ?? fallback);
  let at = names.indexOf(after);
  if (at < 0) return -1;
  // Behind those that asked for the same place before it.
  do at++;
  while (at < names.length && !builtIn.includes(names[at] as string));
  return at;
}

/**
 * The steps of a block with `order` applied: the plugins it names stand in that order in the places they have among them, all others stay
 * where they are. The n-th mention of a plugin is its n-th occurrence; the last mention stands for the rest of them.
 */
export function applyOrder(steps: readonly StepPlan[], order: readonly string[]): StepPlan[] {
  const moved: StepPlan[] = [];
  for (const [i, name] of order.entries()) {
    const own = steps.filter((step) => step.plugin === name);
    const nth = order.slice(0, i).filter((earlier) => earlier === name).length;
    const isLast = !order.includes(name, i + 1);
    moved.push(...own.slice(nth, isLast ? undefined : nth + 1));
  }
  let next = 0;
  return steps.map((step) => (order.includes(step.plugin) ? (moved[next++] as StepPlan) : step));
}

// What an answer depends on, as a number: configurations that could answer differently get different ones.
import type { BlockPlan, StepPlan } from '../chain/plan.js';
import type { Directive } from '../corefile/model.js';

/** Makes fingerprints for one configuration: equal texts get equal numbers, different texts different ones even where their hashes meet. */
export class Fingerprints {
  readonly #texts = new Map<number, string>();

  /**
   * Fingerprint of what stands behind each step of a block: zones, view, base directory and the directives below it. `occurrences` gives the
   * directives that made a step.
   */
  of(
    block: Pick<BlockPlan, 'zones' | 'view' | 'root' | 'steps'>,
    occurrences: (step: StepPlan) => readonly Directive[],
  ): number[] {
    const common = [block.zones, block.view, block.root];
    const below: unknown[] = [];
    const numbers: number[] = [];
    for (const step of block.steps.toReversed()) {
      numbers.unshift(this.#number(JSON.stringify([common, below])));
      below.unshift([step.plugin, occurrences(step).map(wordsOf)]);
    }
    return numbers;
  }

  #number(text: string): number {
    let number = hashText(text);
    for (;;) {
      const known = this.#texts.get(number);
      if (known === undefined || known === text) break;
      number = (number + 1) >>> 0;
    }
    this.#texts.set(number, text);
    return number;
  }
}

/** The words of a directive without their places: a moved line answers as before. */
function wordsOf({ args, properties }: Directive): unknown {
  return [
    args.map((token) => token.text),
    properties.map((p) => [p.name.text, ...p.args.map((token) => token.text)]),
  ];
}

/** FNV-1a over UTF-16 units, finished as MurmurHash3 does, because FNV changes too few bits at the end of a text. Never 0. */
export function hashText(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0 || 1;
}

// A plan as text for an operator: listeners, and for each zone its chain with the arguments of every plugin.
import type { Directive, Property, Token } from '../../corefile/model.js';
import type { Instance, Planned } from '../plan.js';

/** One text, its lines ended. */
export function describePlan({ plan, instances }: Planned): string {
  const lines: string[] = [];
  for (const listener of plan.listeners) {
    lines.push(listener.text);
    for (const { zone, block } of listener.routes) {
      lines.push(`  ${zone}`, ...describeBlock(block));
    }
  }
  return lines.map((line) => `${line}\n`).join('');

  function describeBlock(index: number): string[] {
    const own = instances.filter((instance) => instance.block === index);
    const steps = plan.blocks[index]?.steps ?? [];
    const chain = steps.flatMap((step) => own.find((instance) => instance.step === step) ?? []);
    const others = own.filter((instance) => !steps.includes(instance.step));
    return [
      ...chain.flatMap((instance, i) => describeInstance(`${i + 1}.`.padEnd(4), instance)),
      ...(chain.length === 0 ? ['    no plugin answers: REFUSED'] : []),
      ...others.flatMap((instance) => describeInstance('-   ', instance)),
    ];
  }
}

function describeInstance(mark: string, { directives }: Instance): string[] {
  const lines = directives.flatMap(describeDirective);
  return lines.map((line, i) => `    ${i === 0 ? mark : '    '}${line}`);
}

function describeDirective({ name, args, properties }: Directive): string[] {
  return [words(name, args), ...properties.map((p: Property) => `    ${words(p.name, p.args)}`)];
}

function words(name: Token, args: readonly Token[]): string {
  return [name, ...args].map(({ text }) => quoted(text)).join(' ');
}

/** As it could stand in a Corefile. */
function quoted(text: string): string {
  return text === '' || /[\s"{}#]/.test(text) ? `"${text.replaceAll('"', '\\"')}"` : text;
}

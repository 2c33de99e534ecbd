// From the command line's source to a checked plan: finds and reads the configuration, loads its plugins, and reports all problems together.
import { loadConfiguration } from '../corefile/discover.js';
import type { Problem } from '../corefile/model.js';
import { formatProblems } from '../corefile/problems.js';
import type { Source } from './cli.js';
import { makePlan, type Planned } from './plan.js';
import { loadPlugins } from './plugins.js';

/** What came of a configuration: a plan, or the lines that say why there is none. Warnings come with either. */
export interface Configured {
  readonly planned: Planned | undefined;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Reads and checks. Opens no socket and never rejects for what an operator wrote. */
export async function configure({ conf, port }: Source): Promise<Configured> {
  const {
    configuration,
    problems: found,
    warnings,
  } = await loadConfiguration({
    conf,
    defaultPort: port,
  });
  const problems: Problem[] = [...found];
  const plugins = await loadPlugins(configuration, problems);
  const planned = makePlan(configuration, plugins, problems);
  return {
    planned: problems.length === 0 ? planned : undefined,
    problems: formatProblems(problems),
    warnings: [...formatProblems(warnings), ...planned.warnings],
  };
}

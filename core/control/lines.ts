// Lines for the operator: their form, and where they go.
import type { Logger } from '../chain/services.js';

/** Takes whole lines, each with its newline. Never blocks; drops and counts when it cannot keep up. */
export interface LineOutput {
  write(line: string): void;
}

/** `[LEVEL] plugin/NAME: text`, or `[LEVEL] text` for the server itself with an empty `plugin`. */
export function createLogger(output: LineOutput, plugin: string, isDebug: boolean): Logger {
  const source = plugin === '' ? '' : `plugin/${plugin}: `;
  const at =
    (level: string) =>
    (text: string): void =>
      output.write(`[${level}] ${source}${text}\n`);
  return {
    debug: isDebug ? at('DEBUG') : (): void => {},
    info: at('INFO'),
    warning: at('WARNING'),
    error: at('ERROR'),
    line: (text) => output.write(`[INFO] ${text}\n`),
  };
}

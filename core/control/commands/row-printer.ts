// Rows as a table on a terminal, whatever their number: the first ones settle how wide the columns are.
import type { Row } from '../../container/commands.js';

/** Rows looked at before the first is printed. */
const SAMPLE = 256;

const GAP = '  ';

export class RowPrinter {
  readonly #print: (text: string) => void;
  #sample: Row[] = [];
  #names: readonly string[] = [];
  #widths: readonly number[] = [];
  #numeric: readonly boolean[] = [];
  #hasHeading = false;

  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  /** Rows with other columns than those before begin another table. */
  add(row: Row): void {
    const names = Object.keys(row);
    if (!isSame(names, this.#names)) {
      this.end();
      this.#names = names;
    }
    if (this.#hasHeading) {
      this.#print(this.#lineOf(row));
      return;
    }
    this.#sample.push(row);
    if (this.#sample.length === SAMPLE) this.#settle();
  }

  /** Prints what waits. */
  end(): void {
    if (this.#sample.length > 0) this.#settle();
    this.#hasHeading = false;
    this.#names = [];
  }

  #settle(): void {
    const rows = this.#sample;
    this.#sample = [];
    this.#hasHeading = true;
    this.#numeric = this.#names.map((name) => rows.every((row) => isNumber(row[name])));
    this.#widths = this.#names.map((name) =>
      Math.max(name.length, ...rows.map((row) => textOf(row[name]).length)),
    );
    const heading = this.#names.map((name) => name.toUpperCase());
    this.#print(this.#padded(heading) + rows.map((row) => this.#lineOf(row)).join(''));
  }

  #lineOf(row: Row): string {
    return this.#padded(this.#names.map((name) => textOf(row[name])));
  }

  #padded(texts: readonly string[]): string {
    const cells = texts.map((text, i) => {
      const width = this.#widths[i] ?? 0;
      return this.#numeric[i] ? text.padStart(width) : text.padEnd(width);
    });
    return `${cells.join(GAP).trimEnd()}\n`;
  }
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}

function isNumber(value: Row[string] | undefined): boolean {
  return typeof value === 'number' || value === null;
}

/** Without what could command the terminal: names and texts come from the network. */
function textOf(value: Row[string] | undefined): string {
  if (value === null || value === undefined || value === false) return '-';
  if (value === true) return 'yes';
  return String(value).replace(/\p{Cc}|\p{Cf}/gu, '?');
}

// 32-bit cells shared by all workers: small state that they agree on without messages, such as the health of an upstream.

/** Cells in shared memory, all 0. Sent to a worker as it is. */
export function allocateCells(count: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT));
}

export function loadCell(cells: Int32Array, index: number): number {
  return Atomics.load(cells, index);
}

export function storeCell(cells: Int32Array, index: number, value: number): void {
  Atomics.store(cells, index, value);
}

/** Adds to a cell; gives the new value. */
export function addToCell(cells: Int32Array, index: number, n: number): number {
  return Atomics.add(cells, index, n) + n;
}

/** Makes a cell `to` if it is `from`; false when it was not. */
export function swapCell(cells: Int32Array, index: number, from: number, to: number): boolean {
  return Atomics.compareExchange(cells, index, from, to) === from;
}

/** Takes a free cell (0) for `owner`, which is not 0. True when it was free or `owner` held it already. */
export function claimCell(cells: Int32Array, index: number, owner: number): boolean {
  const held = Atomics.compareExchange(cells, index, 0, owner);
  return held === 0 || held === owner;
}

/** Frees a cell that `owner` holds; anyone else's stays as it is. True when it was held. */
export function releaseCell(cells: Int32Array, index: number, owner: number): boolean {
  return Atomics.compareExchange(cells, index, owner, 0) === owner;
}

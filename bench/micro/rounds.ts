// Times one function: warm-up, then rounds of many calls each; prints the median with the spread. It is processor time, in which other processes on the
// machine do not show but for what they take of its caches.

/** Rounds whose median counts, and calls before them for the compiler. */
const ROUNDS = 15;
const WARM_UP_CALLS = 300_000;

/** Prints nanoseconds per call of `run`, which makes `calls` calls of what is measured and returns something made from their results. */
export function measure(name: string, calls: number, run: (calls: number) => number): void {
  let check = run(WARM_UP_CALLS);
  const rounds: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const before = process.cpuUsage();
    check += run(calls);
    const { user, system } = process.cpuUsage(before);
    rounds.push(((user + system) * 1000) / calls);
  }
  rounds.sort((a, b) => a - b);
  const [least, median, most] = [0, ROUNDS >> 1, ROUNDS - 1].map((i) =>
    (rounds[i] ?? 0).toFixed(1),
  );
  console.log(`${name.padEnd(44)} ${median} ns (${least}..${most})${check === 0 ? '?' : ''}`);
}

// What counting costs: a counter, a gauge, and a histogram of CoreDNS's buckets for low, usual and high values.
import { CounterCell, GaugeCell, HistogramCells } from '../../core/metrics/slice.js';
import { measure } from './rounds.js';

const CALLS = 5_000_000;
const BUCKETS = [
  0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024,
  2.048, 4.096, 8.192,
];

const cells = new Float64Array(new SharedArrayBuffer(1024 * 8));
const counter = new CounterCell(cells, 8);
const gauge = new GaugeCell(cells, 16);
const histogram = new HistogramCells(cells, 24, BUCKETS);

measure('counter: inc', CALLS, (calls) => {
  for (let i = 0; i < calls; i++) counter.inc();
  return cells[8] as number;
});
measure('gauge: inc and dec', CALLS, (calls) => {
  for (let i = 0; i < calls; i++) gauge.inc((i & 1) * 2 - 1);
  return 1 + (cells[16] as number);
});
for (const seconds of [0.0001, 0.02, 5]) {
  measure(`histogram: observe ${seconds} s`, CALLS, (calls) => {
    for (let i = 0; i < calls; i++) histogram.observe(seconds);
    return cells[24 + BUCKETS.length + 1] as number;
  });
}

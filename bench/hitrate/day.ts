// Generated traffic of networks: people at devices that visit sites, each of which needs many names; programs that ask for the same names by the clock;
// names that are used once; mail servers and scanners in an office. Names are numbers, given out as they are needed.
import { createRandom } from '../lib/draw.js';
import type { Trace } from './traces.js';

/** A trace that tells when each query is asked, in seconds since midnight. */
export interface TimedTrace extends Trace {
  readonly seconds: Float64Array;
}

interface Network {
  readonly name: string;
  readonly seed: number;
  readonly days: number;
  readonly devices: number;
  /** Sites there are; their popularity has a Zipf law. */
  readonly sites: number;
  /** Pages that the people of a device look at in its busiest hour. */
  readonly pagesPerHour: number;
  /** Share of pages on the device's own favourite sites. */
  readonly favourite: number;
  /** Names that every device asks for every few minutes: updates, telemetry, mail, chat. */
  readonly polled: number;
  /** Names used once a day and device: tracking, content delivery, reverse look-ups. */
  readonly onceAnHour: number;
  /** Mails an hour in the busiest hour, each with look-ups of names nobody else asks for. */
  readonly mailsPerHour: number;
  /** Hosts that a scanner goes through every night. */
  readonly scanned: number;
  /** How busy each hour of the day is. */
  readonly hours: readonly number[];
}

const HOME_HOURS = [2, 1, 1, 1, 1, 2, 4, 6, 5, 4, 4, 4, 5, 5, 5, 6, 7, 8, 9, 10, 10, 9, 7, 4];
const OFFICE_HOURS = [1, 1, 1, 1, 1, 1, 2, 5, 8, 10, 10, 9, 6, 8, 10, 10, 9, 7, 4, 2, 2, 1, 1, 1];

/** Names a page needs besides its site's own: from services that many sites share, and its own. */
const SHARED_NAMES = 3000;
const SHARED_PER_SITE = 12;
const OWN_PER_SITE = 5;

/** A home's day has few names for a cache; a week of it has more. */
export function homeDay(): TimedTrace {
  return record({
    name: 'home, a week',
    seed: 11,
    days: 7,
    devices: 25,
    sites: 20_000,
    pagesPerHour: 12,
    favourite: 0.6,
    polled: 60,
    onceAnHour: 6,
    mailsPerHour: 0,
    scanned: 0,
    hours: HOME_HOURS,
  });
}

export function officeDay(): TimedTrace {
  return record({
    name: 'office, a day',
    seed: 12,
    days: 1,
    devices: 400,
    sites: 50_000,
    pagesPerHour: 15,
    favourite: 0.4,
    polled: 300,
    onceAnHour: 4,
    mailsPerHour: 800,
    scanned: 8000,
    hours: OFFICE_HOURS,
  });
}

/** Queries with the second they are asked in, put in order at the end. */
class Recorder {
  readonly #times: number[] = [];
  readonly #ids: number[] = [];
  names = 0;

  newNames(count: number): number {
    this.names += count;
    return this.names - count;
  }

  add(second: number, id: number): void {
    this.#times.push(second);
    this.#ids.push(id);
  }

  toTrace(name: string): TimedTrace {
    const order = this.#times.map((_, i) => i);
    order.sort((a, b) => (this.#times[a] as number) - (this.#times[b] as number));
    const ids = Uint32Array.from(order, (i) => this.#ids[i] as number);
    const seconds = Float64Array.from(order, (i) => this.#times[i] as number);
    return { name, ids, seconds, names: this.names, distinct: new Set(ids).size };
  }
}

function record(network: Network): TimedTrace {
  const recorder = new Recorder();
  const random = createRandom(network.seed);
  const shared = recorder.newNames(SHARED_NAMES);
  const sites = recorder.newNames(network.sites * (1 + OWN_PER_SITE));
  const polled = recorder.newNames(network.polled);
  const hosts = recorder.newNames(network.scanned);
  for (let device = 0; device < network.devices; device++) {
    const favourites = Array.from({ length: 15 }, () => skewed(random, network.sites));
    const polls = Array.from({ length: 12 }, () => polled + skewed(random, network.polled));
    for (const id of polls) {
      const period = 60 * 2 ** Math.floor(random() * 6);
      for (let s = random() * period; s < network.days * 86_400; s += period) recorder.add(s, id);
    }
    eachHour(network, random, (second, busy) => {
      for (let n = poisson(random, network.pagesPerHour * busy); n > 0; n--) {
        const isFavourite = random() < network.favourite;
        const site = isFavourite
          ? (favourites[skewed(random, favourites.length)] as number)
          : skewed(random, network.sites);
        visit(recorder, random, second + random() * 3600, site, sites, shared);
      }
      for (let n = poisson(random, network.onceAnHour * busy); n > 0; n--) {
        recorder.add(second + random() * 3600, recorder.newNames(1));
      }
    });
  }
  eachHour(network, random, (second, busy) => {
    for (let n = poisson(random, network.mailsPerHour * busy); n > 0; n--) {
      receive(recorder, random, second + random() * 3600);
    }
  });
  for (let day = 0; day < network.days; day++) {
    for (let i = 0; i < network.scanned; i++) recorder.add(day * 86_400 + 7200 + i / 4, hosts + i);
  }
  return recorder.toTrace(network.name);
}

/** A page: the site's names, some of its own and of services it uses, most of them within a few seconds. */
function visit(
  recorder: Recorder,
  random: () => number,
  second: number,
  site: number,
  sites: number,
  shared: number,
): void {
  const own = sites + site * (1 + OWN_PER_SITE);
  recorder.add(second, own);
  for (let i = 1; i <= OWN_PER_SITE; i++) {
    if (random() < 0.6) recorder.add(second + random() * 5, own + i);
  }
  // Which services a site uses does not change.
  const ofSite = createRandom(site);
  for (let i = 0; i < SHARED_PER_SITE; i++) {
    const id = shared + skewed(ofSite, SHARED_NAMES);
    if (random() < 0.7) recorder.add(second + random() * 8, id);
  }
}

/** A mail: the sender's address backwards and in lists of senders, and its domain. Most senders write once, some often. */
function receive(recorder: Recorder, random: () => number, second: number): void {
  const known = random() < 0.3;
  const first = known ? -1 : recorder.newNames(5);
  for (let i = 0; i < 5; i++) {
    const id = known ? skewed(random, SHARED_NAMES) : first + i;
    recorder.add(second + i * 0.1, id);
  }
}

function eachHour(
  { days, hours }: Network,
  random: () => number,
  act: (second: number, busy: number) => void,
): void {
  for (let hour = 0; hour < days * 24; hour++) {
    act(hour * 3600, ((hours[hour % 24] as number) / 10) * (0.5 + random()));
  }
}

/** A number below `count`, small ones more often: a Zipf law of exponent 1, near enough. */
function skewed(random: () => number, count: number): number {
  return Math.min(count - 1, Math.floor((count + 1) ** random() - 1));
}

function poisson(random: () => number, mean: number): number {
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count++;
  return count;
}

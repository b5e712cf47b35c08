import type { NumberLedger } from './number-ledger.js';

/** Name of the posted metrics; their value is the number. */
export const NUMBERED = 'numbered';

/** Of the plugins' metrics, whose value is the number of the run. */
export const STAMP = /^PLUGIN\.(stamp-\d+)\.stamp$/;

/** The numbers that are compared with what has arrived. */
export interface Comparison {
  readonly delivered: number;
  /** Arrivals of numbers that were there already. */
  readonly duplicates: number;
  /** Accepted and not arrived. */
  readonly lost: readonly number[];
  /** Arrived though their post was not answered with 200. */
  readonly unknownButDelivered: number;
}

interface Point {
  readonly measurement: string;
  readonly fields: { readonly value: number };
}

/** Counts how often each number arrives. */
export class Arrivals {
  readonly #ledger: NumberLedger;
  #times = new Uint16Array(1 << 16);
  readonly #stamps = new Map<string, Map<number, number>>();
  /** Numbered points that came, again or not. */
  numbered = 0;
  /** Points that nobody posted, or to another namespace. */
  strange = 0;

  constructor(ledger: NumberLedger) {
    this.#ledger = ledger;
  }

  takeDocument(topic: string, message: Buffer): void {
    const { database, points } = JSON.parse(message.toString()) as { database: string; points: Point[] };
    for (const { measurement, fields } of points) {
      if (topic !== `collect.${database}`) this.strange += 1;
      else if (measurement === NUMBERED) this.#takeNumber(database, fields.value);
      else this.#takeStamp(measurement, fields.value);
    }
  }

  has(number: number): boolean {
    return (this.#times[number] ?? 0) > 0;
  }

  compare(): Comparison {
    const ledger = this.#ledger;
    const lost: number[] = [];
    let delivered = 0;
    let duplicates = 0;
    let unknownButDelivered = 0;
    for (let number = 1; number <= ledger.posted; number += 1) {
      const times = this.#times[number] ?? 0;
      const isAccepted = ledger.isAccepted(number);
      if (times === 0) {
        if (isAccepted) lost.push(number);
        continue;
      }
      delivered += 1;
      duplicates += times - 1;
      if (!isAccepted) unknownButDelivered += 1;
    }
    return { delivered, duplicates, lost, unknownButDelivered };
  }

  /** How often the stamp of this run of a plugin has arrived. */
  stampTimes(plugin: string, run: number): number {
    return this.#stamps.get(plugin)?.get(run) ?? 0;
  }

  #takeNumber(namespace: string, number: number): void {
    if (!this.#ledger.belongsTo(number, namespace)) {
      this.strange += 1;
      return;
    }
    while (this.#times.length <= number) {
      const larger = new Uint16Array(this.#times.length * 2);
      larger.set(this.#times);
      this.#times = larger;
    }
    this.#times[number] = (this.#times[number] ?? 0) + 1;
    this.numbered += 1;
  }

  /** The points that tell of runs are left out. */
  #takeStamp(measurement: string, run: number): void {
    const plugin = STAMP.exec(measurement)?.[1];
    if (plugin === undefined) return;
    const runs = this.#stamps.get(plugin) ?? new Map<number, number>();
    this.#stamps.set(plugin, runs);
    runs.set(run, (runs.get(run) ?? 0) + 1);
  }
}

import { counted } from '../../../shared/counted.js';
import type { Log } from '../../../shared/log.js';

/** Of losses for the same cause a line is written this often; those in between are summed up by namespace. */
const INTERVAL_MS = 10_000;

/** Namespaces that a line names, those with the most points; of the others it says how many they are. */
const NAMED_MOST = 20;

/** Namespaces that are told apart between two lines. */
const TOLD_APART_MOST = 5000;

/** Losses for one cause that no line has told of yet. */
interface Unsaid {
  readonly points: Map<string, number>;
  /** Points of namespaces that are not told apart any more. */
  otherPoints: number;
  what: string;
  readonly timer: NodeJS.Timeout;
}

/** Says what is lost, for which namespaces and why, without a line for each of a flood. */
export class LossLog {
  readonly #output: string;
  readonly #log: Log;
  readonly #intervalMs: number;
  readonly #unsaid = new Map<string, Unsaid>();

  /** @param intervalMs between two lines for the same cause; 0: as usual */
  constructor(output: string, log: Log, intervalMs = 0) {
    this.#intervalMs = intervalMs === 0 ? INTERVAL_MS : intervalMs;
    this.#output = output;
    this.#log = log;
  }

  /** @param what was done to the points, as it stands behind `was` and `were`: `refused and set aside in …` */
  say(cause: string, namespace: string, points: number, what: string): void {
    const unsaid = this.#unsaid.get(cause);
    if (unsaid) {
      add(unsaid, namespace, points);
      unsaid.what = what;
      return;
    }
    this.#log.error(
      { output: this.#output, namespace, points },
      `output ${this.#output}: ${counted(points, `point of ${namespace} was`, `points of ${namespace} were`)} ${what}`,
    );
    this.#gather(cause, what);
  }

  /** Says what is not said yet. */
  close(): void {
    for (const unsaid of this.#unsaid.values()) {
      clearTimeout(unsaid.timer);
      this.#sayTogether(unsaid);
    }
    this.#unsaid.clear();
  }

  #gather(cause: string, what: string): void {
    const timer = setTimeout(() => {
      const unsaid = this.#unsaid.get(cause);
      this.#unsaid.delete(cause);
      if (unsaid && this.#sayTogether(unsaid)) this.#gather(cause, unsaid.what);
    }, this.#intervalMs);
    timer.unref();
    this.#unsaid.set(cause, { points: new Map(), otherPoints: 0, what, timer });
  }

  /** False when there was nothing to say. */
  #sayTogether({ points, otherPoints, what }: Unsaid): boolean {
    if (points.size === 0) return false;
    const sorted = [...points].sort(([, one], [, other]) => other - one);
    const all = sorted.reduce((sum, [, itsPoints]) => sum + itsPoints, otherPoints);
    const named = sorted.slice(0, NAMED_MOST);
    const parts = named.map(([namespace, itsPoints]) => `${itsPoints} of ${namespace}`);
    const unnamed = all - named.reduce((sum, [, itsPoints]) => sum + itsPoints, 0);
    if (unnamed > 0) parts.push(`${unnamed} of others`);
    this.#log.error(
      { output: this.#output, points: all, namespaces: Object.fromEntries(named) },
      `output ${this.#output}: ${counted(all, 'more point was', 'more points were')} ${what} (${parts.join(', ')})`,
    );
    return true;
  }
}

function add(unsaid: Unsaid, namespace: string, points: number): void {
  const known = unsaid.points.get(namespace);
  if (known === undefined && unsaid.points.size >= TOLD_APART_MOST) unsaid.otherPoints += points;
  else unsaid.points.set(namespace, (known ?? 0) + points);
}

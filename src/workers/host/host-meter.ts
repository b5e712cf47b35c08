import { reasonOf } from '../../shared/coded-error.js';
import type { HostCounts, HostPlan, HostSetup } from '../../shared/host-messages.js';
import type { Log } from '../../shared/log.js';
import type { LaneWriter } from '../../shared/ring/lane-writer.js';
import { hostDocuments } from './host-documents.js';
import type { HostType } from './host-type.js';
import { Inspections, type InspectionsOptions } from './inspections.js';
import type { Places } from './places.js';
import { type Round, TypeRounds } from './type-rounds.js';
import { warnings } from './warnings.js';

export interface HostMeterOptions {
  readonly setup: HostSetup;
  readonly types: readonly HostType<unknown>[];
  readonly places: Places;
  readonly lane: LaneWriter;
  readonly counts: HostCounts;
  readonly startInspector: InspectionsOptions['startInspector'];
  readonly log: Log;
}

/** Measures the host as the plan says, and writes what came of it to the ring. */
export class HostMeter {
  readonly #options: HostMeterOptions;
  readonly #inspections: Inspections;
  readonly #rounds: readonly TypeRounds[];
  #namespaces: readonly string[] = [];
  #isClosed = false;

  constructor(options: HostMeterOptions) {
    const { setup, types, places, startInspector, log } = options;
    const { settings } = setup;
    const warn = warnings(log);
    this.#options = options;
    this.#inspections = new Inspections({
      timeoutMs: settings.fileSystemTimeoutMs,
      startInspector,
      warn,
    });
    const inspect = this.#inspections.inspect.bind(this.#inspections);
    this.#rounds = types.map(
      (type) =>
        new TypeRounds({
          type,
          context: { places, settings, inspect, warn },
          send: (round) => this.#send(type, round),
          onFailure: (thrown) =>
            warn(`${type.type} could not be measured: ${reasonOf(thrown)}`, { about: type.type }),
        }),
    );
  }

  /** From now on it is measured so. */
  setPlan(plan: HostPlan): void {
    this.#namespaces = plan.namespaces;
    for (const rounds of this.#rounds) rounds.setPlan(plan);
  }

  /** Nothing is measured or written after it. */
  close(): void {
    this.#isClosed = true;
    for (const rounds of this.#rounds) rounds.close();
    this.#inspections.close();
  }

  /** A full lane holds up the rounds of this type until there is room; nothing measured is thrown away. */
  async #send({ type }: HostType<unknown>, { points, nowSeconds }: Round): Promise<void> {
    const { setup, lane, counts } = this.#options;
    let written = 0;
    for (const { namespace, document } of hostDocuments(points, this.#namespaces, setup, nowSeconds)) {
      const record = { namespace, document, awaited: false };
      const position = await lane.write(record, () => this.#isClosed);
      if (position === undefined) return;
      written += document.points;
    }
    counts.add(type, written);
  }
}

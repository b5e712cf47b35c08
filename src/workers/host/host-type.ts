import type { HostPlan, HostSettings } from '../../shared/host-messages.js';
import type { HostTypeName } from '../../shared/host-types.js';
import type { Inspect } from './inspections.js';
import type { Places } from './places.js';
import type { Warn } from './warnings.js';

/** A measured value. */
export interface HostPoint {
  /** The measurement, as dashboards know it. */
  readonly name: string;
  /** Finite. */
  readonly value: number;
  readonly tags?: Readonly<Record<string, string>>;
  /** The only namespace that gets it; undefined: all of the host's. */
  readonly namespace?: string;
  /** Unix seconds; undefined: the beginning of the round. */
  readonly timestamp?: number;
}

/** What came of a round. */
export interface Reading<State> {
  readonly points: readonly HostPoint[];
  /** What the next round compares with. */
  readonly state: State;
}

/** What a type reads with. */
export interface ReadContext {
  readonly places: Places;
  readonly settings: HostSettings;
  readonly plan: HostPlan;
  /** Of this type, now. */
  readonly intervalSeconds: number;
  /** Unix time. */
  readonly nowSeconds: number;
  /** A clock that no time step moves; what rates are reckoned with. */
  readonly monotonicMs: number;
  /** Looks at files that may not answer. */
  readonly inspect: Inspect;
  readonly warn: Warn;
}

/** A type of measurement: the whole of a file in `types`, which exports it as `hostType`. */
export interface HostType<State> {
  readonly type: HostTypeName;
  /** Seconds, where the registry says nothing else. */
  readonly intervalSeconds: number;
  /** Whether there is anything to measure; left out: always. */
  isWanted?(plan: HostPlan, settings: HostSettings): boolean;
  /**
   * One round.
   * @param previous state of the round before; undefined in the first one, which has no rates
   */
  read(previous: State | undefined, context: ReadContext): Reading<State> | Promise<Reading<State>>;
}

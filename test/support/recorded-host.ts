import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { HostPlan, HostSettings } from '../../src/shared/host-messages.js';
import type { HostPoint, HostType, ReadContext } from '../../src/workers/host/host-type.js';
import type { Inspect } from '../../src/workers/host/inspections.js';
import type { Places } from '../../src/workers/host/places.js';
import { PROJECT_ROOT } from './project-root.js';
import { temporaryFolder } from './temporary-folder.js';

/** What the kernel of a machine wrote: a copy of a tree below `test/recorded`, which the test may change. */
export class RecordedHost {
  readonly places: Places;
  readonly #name: string;
  readonly #folder: string;

  constructor(test: Pick<TestContext, 'after'>, name: string) {
    this.#name = name;
    this.#folder = temporaryFolder(test);
    this.places = {
      proc: join(this.#folder, 'proc'),
      sys: join(this.#folder, 'sys'),
      wtmp: join(this.#folder, 'wtmp'),
      btmp: join(this.#folder, 'btmp'),
    };
    this.#copy('proc');
    this.#copy('sys');
  }

  /** What had changed ten seconds later. */
  later(): void {
    this.#copy('later');
  }

  /** @param path below the folder: `proc/stat`, `wtmp` */
  write(path: string, content: string | Buffer): void {
    const file = join(this.#folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }

  remove(path: string): void {
    rmSync(join(this.#folder, path), { recursive: true, force: true });
  }

  #copy(part: string): void {
    const from = join(PROJECT_ROOT, 'test/recorded', this.#name, part);
    const to = part === 'later' ? this.#folder : join(this.#folder, part);
    cpSync(from, to, { recursive: true, verbatimSymlinks: true, force: true });
  }
}

export const SETTINGS: HostSettings = {
  collect: [],
  interfacePrefixes: ['eth', 'en', 'bond'],
  ntpServers: [],
  cgroup: false,
  coreDumpFolder: '/nowhere/coresave',
  fileSystemTimeoutMs: 5000,
};

export const PLAN: HostPlan = { namespaces: ['shop'], intervals: {}, ports: [], processes: [] };

/** What a test changes of what a type reads with. */
export interface Surroundings {
  readonly settings?: Partial<HostSettings>;
  readonly plan?: Partial<HostPlan>;
  readonly intervalSeconds?: number;
  readonly nowSeconds?: number;
  readonly inspect?: Inspect;
}

/** A time of the tests' own. */
export const NOW = 1_800_000_000;

/** Rounds of a type, one after another. */
export class RecordedRounds<State> {
  readonly warnings: string[] = [];
  readonly #type: HostType<State>;
  readonly #places: Places;
  #state: State | undefined;
  #monotonicMs = 1_000_000;
  #nowSeconds = NOW;

  constructor(type: HostType<State>, places: Places) {
    this.#type = type;
    this.#places = places;
  }

  /** @param elapsedSeconds since the round before, on the clock that no time step moves */
  async round(elapsedSeconds = 10, surroundings: Surroundings = {}): Promise<readonly HostPoint[]> {
    this.#monotonicMs += elapsedSeconds * 1000;
    this.#nowSeconds = surroundings.nowSeconds ?? this.#nowSeconds + elapsedSeconds;
    const context: ReadContext = {
      places: this.#places,
      settings: { ...SETTINGS, ...surroundings.settings },
      plan: { ...PLAN, ...surroundings.plan },
      intervalSeconds: surroundings.intervalSeconds ?? this.#type.intervalSeconds,
      nowSeconds: this.#nowSeconds,
      monotonicMs: this.#monotonicMs,
      inspect: surroundings.inspect ?? (async (jobs) => jobs.map(() => 'untried')),
      warn: (sentence) => void this.warnings.push(sentence),
    };
    const { points, state } = await this.#type.read(this.#state, context);
    this.#state = state;
    return points;
  }
}

/** Points as `name{tag}` → value, to be compared as a whole. */
export function valuesOf(points: readonly HostPoint[]): Record<string, number> {
  return Object.fromEntries(points.map(({ name, tags, value }) => [name + tagText(tags), value]));
}

function tagText(tags: HostPoint['tags']): string {
  return tags === undefined ? '' : `{${Object.values(tags).join(',')}}`;
}

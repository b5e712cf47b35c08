import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RegistryItem } from '../support/agent-process.js';
import { makeRepository } from '../support/git-repository.js';

export const STAMP_NAMESPACE = 'stamps.shop';

/** How an agent ended; `lossy`: stopped, and it said that it lost what neither the brokers nor the disk took. */
export type EndOfAgent = 'stopped' | 'lossy' | 'killed';

interface JournaledRun {
  readonly plugin: string;
  readonly run: number;
  /** Whether the agent had the run's points in its hands and then was not killed. */
  isAccepted: boolean;
}

/**
 * Plugins that number their runs, and note each in a journal when they have printed. They write to a folder of the test,
 * which anyone may write to, as they run as another user.
 */
export class StampPlugins {
  readonly names: readonly string[];
  readonly #folder: string;
  readonly #addresses: readonly string[];
  readonly #runs: JournaledRun[] = [];
  /** How many runs there were when the agent that runs now was started. */
  #lifeBeganAt = 0;
  /** Where the journal of each plugin was read up to. */
  readonly #readLines = new Map<string, number>();

  constructor(folder: string, count: number) {
    this.#folder = join(folder, 'journals');
    mkdirSync(this.#folder);
    chmodSync(this.#folder, 0o777);
    this.names = Array.from({ length: count }, (_, place) => `stamp-${place + 1}`);
    this.#addresses = this.names.map((name) =>
      makeRepository(join(folder, name), { plugin: scriptOf(join(this.#folder, name)) }),
    );
  }

  get registry(): Readonly<Record<string, readonly RegistryItem[]>> {
    const items = this.names.map((name, place) => ({
      measurement_type: 'PLUGIN',
      name: `PLUGIN.${name}`,
      git: this.#addresses[place] ?? '',
      interval: '1',
    }));
    return { [STAMP_NAMESPACE]: items };
  }

  /** Call when an agent is about to end: the last run of each plugin may not be over by now. */
  noteEndBegins(): void {
    for (const name of this.names) {
      const runs = this.#readJournal(name);
      for (const [place, run] of runs.entries()) {
        this.#runs.push({ plugin: name, run, isAccepted: place < runs.length - 1 });
      }
    }
  }

  /**
   * Call when it has ended. What its plugins printed since its end began may have found nobody to read it. When it was
   * killed, what was on its way from the plugin to the disk is gone, and of one that lost something it may be any run.
   */
  noteEnded(end: EndOfAgent): void {
    for (const name of this.names) {
      for (const run of this.#readJournal(name)) this.#runs.push({ plugin: name, run, isAccepted: false });
    }
    if (end !== 'stopped') for (const run of this.#runs.slice(this.#lifeBeganAt)) run.isAccepted = false;
    this.#lifeBeganAt = this.#runs.length;
  }

  /** All runs that were journaled, in the order of the notes. */
  get runs(): readonly Readonly<JournaledRun>[] {
    return this.#runs;
  }

  #readJournal(name: string): number[] {
    let text: string;
    try {
      text = readFileSync(join(this.#folder, `${name}.journal`), 'utf8');
    } catch {
      // It has not run yet.
      return [];
    }
    const lines = text.split('\n').slice(0, -1);
    const from = this.#readLines.get(name) ?? 0;
    this.#readLines.set(name, lines.length);
    return lines.slice(from).map(Number);
  }
}

/** A run's number is its time in milliseconds. */
function scriptOf(path: string): string {
  return `#!/bin/sh
run=$(date +%s%3N)
echo "[{\\"name\\":\\"stamp\\",\\"value\\":$run}]" && echo "$run" >>'${path}.journal'
`;
}

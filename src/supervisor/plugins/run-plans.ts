import type { PluginUser, RunPlan } from '../../shared/messages.js';
import type { PluginDefinition } from '../registry/plugin-definition.js';
import { type Run, type RunPlace, type RunSettings, runTask } from './run-task.js';

/** A plan, and what it was made from. */
interface MadePlan {
  readonly plan: RunPlan;
  readonly definition: PluginDefinition;
  /** Of the version, which no other one ever has. */
  readonly folder: string;
  readonly user: PluginUser | undefined;
}

/** Keeps what the scheduled runs of each plugin have in common; made anew when something of it has changed. */
export class RunPlans {
  readonly #settings: RunSettings;
  /** By the plugin's key. */
  readonly #made = new Map<string, MadePlan>();

  constructor(settings: RunSettings) {
    this.#settings = settings;
  }

  /** The plan of a scheduled run: the same object as long as nothing has changed. */
  planOf(run: Run, place: RunPlace): RunPlan {
    const { key, definition } = run.plugin;
    const made = this.#made.get(key);
    if (made !== undefined && isMadeFor(made, definition, place)) return made.plan;
    const { runId: _, dueAtMs: __, ...task } = runTask(run, place, this.#settings);
    const plan = { key, task };
    // A cgroup that could not be made is tried again at the next run.
    const isWhole = task.cgroup !== undefined || place.cgroups === undefined;
    if (isWhole) this.#made.set(key, { plan, definition, folder: place.held.folder, user: place.user });
    return plan;
  }

  /** To be called when the plugin is gone, or its cgroup: the next plan is made anew. */
  forget(key: string): void {
    this.#made.delete(key);
  }
}

function isMadeFor(made: MadePlan, definition: PluginDefinition, { held, user }: RunPlace): boolean {
  return made.definition === definition && made.folder === held.folder && made.user === user;
}

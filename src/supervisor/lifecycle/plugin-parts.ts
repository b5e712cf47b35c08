import cron from 'node-cron';
import { reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import { openCgroups } from '../cgroups/open-cgroups.js';
import type { Config } from '../config/config.js';
import { limitsOf } from '../config/limit-kinds.js';
import { allowedProtocols } from '../git/repository.js';
import { cronLogger } from '../log/cron-logger.js';
import { PluginStore } from '../plugin-store/plugin-store.js';
import { DisabledPlugins } from '../plugins/disabled-plugins.js';
import { PluginRuns } from '../plugins/plugin-runs.js';
import { PluginSet } from '../plugins/plugin-set.js';
import { PluginStreams } from '../plugins/plugin-streams.js';
import { Schedule } from '../schedule/schedule.js';
import type { StateFolder } from '../state/state-folder.js';
import type { DeliveryPath } from './delivery-path.js';
import { endLeftProcesses } from './left-processes.js';
import type { PluginsUserLookup } from './plugins-user-lookup.js';
import type { Releasers } from './releasers.js';

/** What fetches plugins, decides when they run, and has them run. */
export interface PluginParts {
  readonly store: PluginStore;
  readonly disabled: DisabledPlugins;
  readonly runs: PluginRuns;
  readonly streams: PluginStreams;
  readonly schedule: Schedule;
  readonly plugins: PluginSet;
}

export interface PluginPartsOptions {
  readonly config: Config;
  readonly log: Log;
  /** Value of the tag `host`. */
  readonly host: string;
  readonly state: StateFolder;
  readonly releasers: Releasers;
}

/** So many leave a thread, and its row of the child table, room for everything else. */
const STREAMS_PER_THREAD = 2048;

/** Disabled plugins whose day is over are looked for every hour; until then each run asks for itself. */
const SWEEP_EXPRESSION = '7 * * * *';

/** Makes what runs plugins. Nothing is known of any plugin yet. */
export async function openPluginParts(
  { config, log, host, state, releasers }: PluginPartsOptions,
  delivery: Pick<DeliveryPath, 'pool' | 'lane'>,
  lookup: PluginsUserLookup,
): Promise<PluginParts> {
  const { agent, output, runner } = config;
  const runAs = lookup.runAs();
  endLeftProcesses(agent.pluginsdir, 'user' in runAs ? runAs.user?.uid : undefined, log);
  const store = new PluginStore({
    folder: agent.pluginsdir,
    allowedProtocols: [
      ...allowedProtocols({
        protocols: agent.gitprotocols,
        template: agent.git,
        registryAddress: agent.registryaddr,
      }),
    ],
    gitTimeoutMs: agent.gittimeout * 1000,
    reader: 'user' in runAs ? runAs.user : undefined,
    log,
  });
  await store.open();
  releasers.add('the plugin store', () => store.close());
  const disabled = new DisabledPlugins(state, log);
  await disabled.load();
  const cgroups = await openCgroups(runner.cgroup, agent.rundir, log);
  if (cgroups) releasers.add('the cgroups of plugins', () => cgroups.close());
  const runs = new PluginRuns({
    settings: {
      databasePrefix: output.databaseprefix,
      host,
      maxTimeoutMs: runner.maxtimeout * 1000,
      graceMs: runner.grace * 1000,
      maxOutputBytes: runner.maxoutput,
      maxProcesses: runner.maxprocesses,
      passedEnvironment: runner.environment,
      limits: limitsOf(runner),
    },
    pool: delivery.pool,
    store,
    lane: delivery.lane,
    runAs: () => lookup.runAs(),
    cgroups: cgroups?.plugins,
    log,
  });
  const schedule = new Schedule({ host, run: (key, dueAtMs) => plugins.runDue(key, dueAtMs), log });
  releasers.add('the schedule', () => schedule.close());
  const maxStreams = Math.min(runner.maxstreams, STREAMS_PER_THREAD * runner.threads);
  const streams = new PluginStreams({ runs, disabled, maxStreams, log });
  const plugins = new PluginSet({ store, schedule, runs, streams, disabled, log });
  const sweep = cron.schedule(SWEEP_EXPRESSION, () => sweepQuietly(disabled, log), {
    noOverlap: true,
    suppressMissedWarning: true,
    logger: cronLogger(log),
  });
  releasers.add('the sweep of disabled plugins', () => sweep.destroy());
  return { store, disabled, runs, streams, schedule, plugins };
}

async function sweepQuietly(disabled: DisabledPlugins, log: Log): Promise<void> {
  try {
    await disabled.sweep();
  } catch (thrown) {
    log.error({}, `plugins that are enabled again could not be noted: ${reasonOf(thrown)}`);
  }
}

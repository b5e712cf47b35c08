import { join } from 'node:path';
import { pluginMetricPrefix } from '../../shared/measurement.js';
import { PLUGIN_FILE, type RunSpec } from '../../shared/messages.js';
import type { DocumentSettings } from '../../shared/points-document.js';
import { RunMetrics } from '../../shared/run-metric.js';
import { resourceLimits } from './limits/resource-limits.js';
import { filesOf } from './plugin-files.js';
import type { Runner } from './runner.js';
import type { Program } from './started-process.js';

/** How a plugin is run, and what that makes the same in each of its runs. */
export interface PreparedTask {
  readonly spec: RunSpec;
  readonly program: Program;
  /** What has to be looked at before each run, see `areFilesFine`. */
  readonly files: readonly string[];
  /** Of the plugin's points. */
  readonly documents: DocumentSettings;
  readonly metrics: RunMetrics;
}

/** Does once for a plugin what else each run would do anew. */
export function prepareTask(spec: RunSpec, { setup, lane }: Pick<Runner, 'setup' | 'lane'>): PreparedTask {
  const place = { database: setup.databasePrefix + spec.namespace, host: setup.host };
  return {
    spec,
    program: programOf(spec),
    files: filesOf(spec),
    documents: {
      ...place,
      measurementPrefix: pluginMetricPrefix(spec.pluginName),
      maxBytes: Math.min(setup.maxDocumentBytes, lane.maxDocumentBytes),
    },
    metrics: new RunMetrics(spec, place),
  };
}

function programOf({ folder, parameters, environment, user, limits, cgroup }: RunSpec): Program {
  return {
    file: join(folder, PLUGIN_FILE),
    args: parameters,
    folder,
    environment,
    user,
    limits: resourceLimits(limits, cgroup?.controllers.includes('pids') !== true),
    nice: limits.nice,
    cgroup: cgroup?.folder,
  };
}

import type { AgentStatus } from '../http/operations.js';
import { type Family, single } from './family.js';

/** What the supervisor knows of itself, its plugins and its callers. */
export function agentFamilies(status: AgentStatus): readonly Family[] {
  const { plugins, runs, posts, measured } = status;
  return [
    {
      name: 'agent_info',
      type: 'gauge',
      help: 'Always 1; its labels say which version runs, and under which name of the host its points go out.',
      series: [{ labels: { version: status.version, host: status.host }, value: 1 }],
    },
    single(
      'gauge',
      'agent_start_time_seconds',
      'When the agent started, as unix time.',
      unixSeconds(status.startedAt),
    ),
    single('gauge', 'agent_namespaces', 'Namespaces that the host is in.', status.namespaces.length),
    single(
      'gauge',
      'agent_registry_last_sync_timestamp_seconds',
      'When the registry last answered, as unix time; 0 when it has not since the start. Meanwhile the agent goes on with what it knows.',
      status.registry.lastSyncAt === undefined ? 0 : unixSeconds(status.registry.lastSyncAt),
    ),
    single('gauge', 'agent_plugins_known', 'Plugins that the registry names for this host.', plugins.known),
    single(
      'gauge',
      'agent_plugins_enabled',
      'Plugins that are not disabled by an operator.',
      plugins.enabled,
    ),
    single('gauge', 'agent_plugins_running', 'Plugins that run at this moment.', plugins.running),
    single(
      'gauge',
      'agent_plugins_failed',
      'Plugins that could not be fetched from git or checked, so that they do not run. /plugins/list says why.',
      plugins.failed,
    ),
    {
      name: 'agent_plugin_runs_total',
      type: 'counter',
      help: 'Runs of plugins that are over, since the agent started. failed: an exit status other than 0, a time-out, a signal, or output that is not understood.',
      series: [
        { labels: { result: 'ok' }, value: runs.ok },
        { labels: { result: 'failed' }, value: runs.failed },
      ],
    },
    single(
      'counter',
      'agent_plugin_runs_skipped_total',
      'Runs that were left out because the one before of the same plugin was not over.',
      runs.skipped,
    ),
    single(
      'gauge',
      'agent_plugin_runs_waiting',
      'Runs that are due and wait for a place: as many plugins run as [runner] maxprocesses allows.',
      runs.waiting,
    ),
    ...(['p50', 'p99', 'max'] as const).map((part) =>
      single(
        'gauge',
        `agent_plugin_run_lateness_${part}_seconds`,
        `How late scheduled runs begin, from when they are due to the start of their process, ${LATENESS[part]}, over the last one to two minutes.`,
        runs.lateness[`${part}Ms`] / 1000,
      ),
    ),
    {
      name: 'agent_posts_total',
      type: 'counter',
      help: 'Requests to /post since the agent started. accepted: answered with 200, the points are safe. refused: any other answer to a body that was read.',
      series: [
        { labels: { result: 'accepted' }, value: posts.accepted },
        { labels: { result: 'refused' }, value: posts.refused },
      ],
    },
    single(
      'counter',
      'agent_posted_points_total',
      'Points in the requests to /post that were answered with 200.',
      posts.points,
    ),
    {
      name: 'agent_host_rounds_total',
      type: 'counter',
      help: 'Rounds in which the host itself was measured, by type, since the agent started.',
      series: measured.map(({ type, rounds }) => ({ labels: { type }, value: rounds })),
    },
    {
      name: 'agent_host_points_total',
      type: 'counter',
      help: 'Points that these rounds sent, in all namespaces.',
      series: measured.map(({ type, points }) => ({ labels: { type }, value: points })),
    },
  ];
}

const LATENESS = { p50: 'half of them at most', p99: '99 of 100 at most', max: 'at worst' } as const;

function unixSeconds(time: string): number {
  return Date.parse(time) / 1000;
}

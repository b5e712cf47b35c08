import type { ChunkCounts, GoPluginStatus, OutputStatus } from '../../shared/output-status.js';
import type { Family, Labels } from './family.js';

const RESULTS = ['ok', 'error', 'retry'] as const satisfies readonly (keyof ChunkCounts)[];

const STATES: readonly GoPluginStatus['state'][] = ['starting', 'running', 'restarting', 'failed', 'closed'];

interface PluginOutput {
  readonly labels: Labels;
  readonly plugin: GoPluginStatus;
}

/** How the instances of Golang output plugins stand; without a series where there are none. */
export function pluginOutputFamilies(outputs: readonly OutputStatus[]): readonly Family[] {
  const plugins = outputs.flatMap(({ output, plugin }): PluginOutput[] =>
    plugin ? [{ labels: { output, library: plugin.library }, plugin }] : [],
  );
  return [
    family(
      'state',
      'gauge',
      '1 for the state that an instance of a Golang output plugin is in, 0 for the others.',
      plugins.flatMap(({ labels, plugin }) =>
        STATES.map((state) => ({ labels: { ...labels, state }, value: plugin.state === state ? 1 : 0 })),
      ),
    ),
    family(
      'host_restarts_total',
      'counter',
      'How often the host process of the library was started again.',
      plugins.map(({ labels, plugin }) => ({ labels, value: plugin.restarts })),
    ),
    family('chunks_total', 'counter', 'Flushes that came back, by answer.', ofResults(plugins, 'chunks')),
    family(
      'chunk_bytes_total',
      'counter',
      'Bytes of msgpack in flushes that came back, by answer.',
      ofResults(plugins, 'bytes'),
    ),
    family(
      'set_aside_chunks_total',
      'counter',
      'Chunks that the plugin refused, or put off more often than Retry_Limit allows.',
      plugins.map(({ labels, plugin }) => ({ labels, value: plugin.setAsideChunks })),
    ),
    family(
      'retries_waiting',
      'gauge',
      'Chunks that wait for their next try.',
      plugins.map(({ labels, plugin }) => ({ labels, value: plugin.retriesWaiting })),
    ),
  ];
}

function family(name: string, type: Family['type'], help: string, series: Family['series']): Family {
  return { name: `agent_output_plugin_${name}`, type, help, series };
}

function ofResults(plugins: readonly PluginOutput[], counts: 'chunks' | 'bytes'): Family['series'] {
  return plugins.flatMap(({ labels, plugin }) =>
    RESULTS.map((result) => ({ labels: { ...labels, result }, value: plugin[counts][result] })),
  );
}

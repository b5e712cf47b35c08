import { DROP_REASONS, type OutputStatus } from '../../shared/output-status.js';
import { type Family, type Labels, single } from './family.js';
import { pluginOutputFamilies } from './plugin-output-families.js';

/** A metric that every output has one value of. */
interface OutputMetric {
  /** Without `agent_output_` in front. */
  readonly name: string;
  readonly type: Family['type'];
  readonly help: string;
  readonly of: (output: OutputStatus) => number;
}

const METRICS: readonly OutputMetric[] = [
  {
    name: 'up',
    type: 'gauge',
    help: '1: it delivers, or has nothing to deliver and knows of no trouble. 0: it does not, for a second or more.',
    of: ({ isUp }) => (isUp ? 1 : 0),
  },
  {
    name: 'accepted_records_total',
    type: 'counter',
    help: 'Points documents that the output was given, since the publisher started. Each ends as delivered, set aside or dropped; until then it lags.',
    of: ({ acceptedRecords }) => acceptedRecords,
  },
  {
    name: 'accepted_points_total',
    type: 'counter',
    help: 'Points in the documents that the output was given, since the publisher started.',
    of: ({ acceptedPoints }) => acceptedPoints,
  },
  {
    name: 'delivered_records_total',
    type: 'counter',
    help: 'Points documents that the server behind the output has confirmed.',
    of: ({ deliveredRecords }) => deliveredRecords,
  },
  {
    name: 'delivered_points_total',
    type: 'counter',
    help: 'Points that the server behind the output has confirmed; those that an earlier run of the agent left on disk included.',
    of: ({ deliveredPoints }) => deliveredPoints,
  },
  {
    name: 'retried_records_total',
    type: 'counter',
    help: 'Points documents that were sent once more because nobody confirmed them the first time. Each may have arrived twice.',
    of: ({ retriedRecords }) => retriedRecords,
  },
  {
    name: 'spooled_records_total',
    type: 'counter',
    help: 'Points documents that were written to disk for the output, since the publisher started; not how many are there now.',
    of: ({ spooledRecords }) => spooledRecords,
  },
  {
    name: 'spooled_points_total',
    type: 'counter',
    help: 'Points that were written to disk for the output, since the publisher started; not how many are there now.',
    of: ({ spooledPoints }) => spooledPoints,
  },
  {
    name: 'set_aside_points_total',
    type: 'counter',
    help: 'Points that the server refused for good: sending them again would not help. The log says why, and where their documents are kept.',
    of: ({ setAsidePoints }) => setAsidePoints,
  },
  {
    name: 'memory_points',
    type: 'gauge',
    help: 'Points in memory that are not delivered, those that are on disk too included. Bounded by buffersize.',
    of: ({ memoryPoints }) => memoryPoints,
  },
  {
    name: 'disk_records',
    type: 'gauge',
    help: 'Points documents that wait on disk.',
    of: ({ diskRecords }) => diskRecords,
  },
  {
    name: 'disk_points',
    type: 'gauge',
    help: 'Points that wait on disk.',
    of: ({ diskPoints }) => diskPoints,
  },
  {
    name: 'disk_bytes',
    type: 'gauge',
    help: "Bytes that the output's part of the spool takes on disk.",
    of: ({ diskBytes }) => diskBytes,
  },
  {
    name: 'lag_points',
    type: 'gauge',
    help: 'Points that are not delivered yet, each counted once, wherever it waits.',
    of: ({ lagPoints }) => lagPoints,
  },
  {
    name: 'lag_seconds',
    type: 'gauge',
    help: 'Age of the oldest point that is not delivered yet; 0 when none waits. The one to watch: it grows for as long as a server is away.',
    of: ({ lagSeconds }) => lagSeconds,
  },
];

/**
 * How deliveries stand.
 * @param outputs undefined when the publisher does not answer; its metrics are left out then, rather than be guessed
 */
export function outputFamilies(outputs: readonly OutputStatus[] | undefined): readonly Family[] {
  const up = single(
    'gauge',
    'agent_publisher_up',
    '1: the thread that owns the outputs answered within a second. 0: it did not, and all agent_output_ metrics are missing here.',
    outputs === undefined ? 0 : 1,
  );
  if (outputs === undefined) return [up];
  const families = METRICS.map(({ name, type, help, of }) => ({
    name: `agent_output_${name}`,
    type,
    help,
    series: outputs.map((output) => ({ labels: labelsOf(output), value: of(output) })),
  }));
  return [up, ...families, droppedPoints(outputs), ...pluginOutputFamilies(outputs)];
}

function droppedPoints(outputs: readonly OutputStatus[]): Family {
  return {
    name: 'agent_output_dropped_points_total',
    type: 'counter',
    help: 'Points that are lost. full: the disk bound was reached and they were the oldest there. damaged: what the disk gave back was not what was written. no-room: neither memory nor disk had room.',
    series: outputs.flatMap((output) =>
      DROP_REASONS.map((reason) => ({
        labels: { ...labelsOf(output), reason },
        value: output.droppedPoints[reason],
      })),
    ),
  };
}

function labelsOf({ output, name }: OutputStatus): Labels {
  return { output, name };
}

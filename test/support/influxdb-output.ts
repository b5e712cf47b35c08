import type { TestContext } from 'node:test';
import type { InfluxdbOutputSettings } from '../../src/shared/output-settings.js';
import { InfluxdbOutput } from '../../src/workers/publisher/outputs/influxdb-output.js';
import { type RecordedLine, recordingLog } from './recording-log.js';
import { waitUntil } from './wait-until.js';

/** Unix seconds of the points that bring no time. */
export const POINT_TIME = 1_700_000_000;

export interface TestPoint {
  readonly measurement?: string;
  readonly timestamp?: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** An output that notes what becomes of each document. It is closed when the test ends. */
export interface OutputUnderTest {
  readonly output: InfluxdbOutput;
  readonly lines: readonly RecordedLine[];
  /** By the name given at `deliver`, in the order in which they were settled. */
  readonly delivered: readonly string[];
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
  deliver(name: string, points: readonly TestPoint[], namespace?: string): void;
  /** Waits until as many documents are settled, one way or the other. */
  settled(count: number): Promise<void>;
}

export function openInfluxdbOutput(
  test: Pick<TestContext, 'after'>,
  url: string,
  settings: Partial<InfluxdbOutputSettings> = {},
): OutputUnderTest {
  const { log, lines } = recordingLog();
  const output = new InfluxdbOutput('influxdb', { ...DEFAULTS, url, ...settings }, log);
  test.after(() => output.close());
  const delivered: string[] = [];
  const refused: { name: string; reason: string }[] = [];
  return {
    output,
    lines,
    delivered,
    refused,
    deliver: (name, points, namespace = 'web.shop') => {
      const document = documentOf(points, namespace);
      output.deliver({ namespace, points: points.length, document }, (reason) => {
        // As the memory that it is in may be used again.
        document.fill(0);
        if (reason === undefined) delivered.push(name);
        else refused.push({ name, reason });
      });
    },
    settled: async (count) => {
      await waitUntil(`${count} documents are settled`, () => delivered.length + refused.length >= count);
    },
  };
}

const DEFAULTS: Omit<InfluxdbOutputSettings, 'url'> = {
  name: 'influxdb',
  version: 1,
  database: 'metrics',
  organization: '',
  retentionPolicy: '',
  namespaceTag: '',
  gzip: true,
  batchPoints: 5000,
  responseTimeoutMs: 10_000,
  userAgent: 'agent/test',
  token: undefined,
  username: undefined,
  password: undefined,
  ca: undefined,
  insecure: false,
};

function documentOf(points: readonly TestPoint[], namespace: string): Buffer {
  return Buffer.from(
    JSON.stringify({
      database: namespace,
      retentionPolicy: 'default',
      precision: 's',
      points: points.map((point) => ({
        measurement: 'm',
        timestamp: POINT_TIME,
        tags: {},
        fields: { value: 1 },
        ...point,
      })),
    }),
  );
}

import type { TestContext } from 'node:test';
import type { HostPlan, HostSettings } from '../../src/shared/host-messages.js';
import { LaneReader } from '../../src/shared/ring/lane-reader.js';
import { createRing } from '../../src/shared/ring/layout.js';
import { HostThread } from '../../src/supervisor/host/host-thread.js';
import { PLAN, SETTINGS } from './recorded-host.js';
import { type RecordedLine, recordingLog } from './recording-log.js';

/** A point with the namespace of its document. */
export interface SentPoint {
  readonly namespace: string;
  readonly measurement: string;
  readonly timestamp: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly fields: { readonly value: number };
}

const LANE = 1;

/** The thread that measures this very host, and what it writes to the ring. */
export class HostThreadUnderTest {
  readonly thread: HostThread;
  readonly lines: readonly RecordedLine[];
  readonly #reader: LaneReader;
  readonly #points: SentPoint[] = [];

  constructor(test: Pick<TestContext, 'after'>, settings: Partial<HostSettings>, workerFile?: URL) {
    const { log, lines } = recordingLog();
    const ring = createRing(2, 2 ** 22);
    this.lines = lines;
    this.#reader = new LaneReader(ring, LANE);
    this.thread = new HostThread({
      setup: {
        ring,
        lane: LANE,
        host: 'web-1',
        databasePrefix: 'collect.',
        maxDocumentBytes: 1_000_000,
        logLevel: 'debug',
        settings: { ...SETTINGS, ...settings },
      },
      log,
      acceptLine: ({ level, fields, message }) => log[level](fields, message),
      ...(workerFile && { workerFile }),
    });
    test.after(() => this.thread.stop());
  }

  setPlan(plan: Partial<HostPlan>): void {
    this.thread.setPlan({ ...PLAN, ...plan });
  }

  /** All that it has sent so far. */
  points(): readonly SentPoint[] {
    for (let record = this.#reader.read(); record; record = this.#reader.read()) {
      const document = JSON.parse(record.document.toString());
      for (const point of document.points) this.#points.push({ namespace: record.namespace, ...point });
      this.#reader.settle(record.end);
    }
    return this.#points;
  }

  /** Values of a measurement, oldest first, of the points with that tag. */
  values(measurement: string, tag?: string): readonly number[] {
    return this.points()
      .filter((point) => point.measurement === measurement)
      .filter(({ tags }) => tag === undefined || Object.values(tags).includes(tag))
      .map(({ fields }) => fields.value);
  }
}

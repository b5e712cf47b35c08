import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Loss } from '../../src/shared/messages.js';
import type { GoOutputSettings, OutputSettings, SpoolSettings } from '../../src/shared/output-settings.js';
import type { GoPluginStatus } from '../../src/shared/output-status.js';
import {
  encodeMetrics,
  type FieldValue,
  PointForm,
  type PointsDocument,
} from '../../src/shared/points-document.js';
import type { OutputFeed } from '../../src/workers/publisher/feeds/output-feed.js';
import { openFeed } from '../../src/workers/publisher/open-feed.js';
import { OutputHosts } from '../../src/workers/publisher/outputs/go/output-hosts.js';
import { builtGoOutput } from './go-outputs.js';
import { type RecordedLine, recordingLog } from './recording-log.js';
import { temporaryFolder } from './temporary-folder.js';

/** Settings of an output, but for what a test says; properties as an object. */
export interface GoOutputUnderTest extends Partial<Omit<GoOutputSettings, 'properties'>> {
  readonly alias?: string;
  readonly properties?: Readonly<Record<string, string>>;
}

/** An event as the plugin `behaves` writes it down. */
export interface WrittenEvent {
  readonly id: string;
  readonly tag: string;
  readonly time: number;
  readonly record: Readonly<Record<string, unknown>>;
}

/** Feeds of outputs that are instances of the plugin `behaves`, or of another library, as a publisher has them. */
export class GoFeeds {
  readonly folder: string;
  readonly lines: RecordedLine[];
  readonly feeds: readonly OutputFeed[];
  readonly secured: string[] = [];
  readonly losses: Loss[] = [];
  #taken = 0;
  #isClosed = false;

  constructor(t: TestContext, outputs: readonly GoOutputUnderTest[], spool?: Partial<SpoolSettings>) {
    this.folder = spool?.folder ?? temporaryFolder(t);
    const { log, lines } = recordingLog();
    this.lines = lines;
    const hosts = new OutputHosts(log, {
      crashBaseMs: 50,
      crashCapMs: 500,
      failureBaseMs: 200,
      failureCapMs: 1000,
    });
    const all = outputs.map((output, place) => this.#settings(output, place));
    const setup = {
      ring: new SharedArrayBuffer(8),
      outputs: all,
      spool: spool && {
        folder: this.folder,
        mode: 'overflow' as const,
        maxBytes: 2 ** 28,
        fsync: 'never' as const,
        ...spool,
      },
      logLevel: 'debug' as const,
    };
    this.feeds = all.map((settings) => openFeed({ settings, setup, hosts, log, onRoom: () => undefined }));
    t.after(() => this.close());
  }

  /** Gives all feeds a document of points with these values, named `metric`. */
  take(values: readonly FieldValue[], namespace = 'web.shop'): void {
    const metrics = values.map((value) => metricOf(value, { role: 'web' }));
    for (const document of documentsOf(metrics, namespace, 1_000_000))
      this.#takeDocument(document, namespace);
  }

  /** The same, in one document however long it gets. */
  takeLarge(values: readonly FieldValue[]): void {
    const metrics = values.map((value) => metricOf(value, {}));
    for (const document of documentsOf(metrics, 'web.shop', 16_000_000))
      this.#takeDocument(document, 'web.shop');
  }

  /** A point of value 1 with these tags. */
  takeTagged(tags: Readonly<Record<string, string>>): void {
    for (const document of documentsOf([metricOf(1, tags)], 'web.shop', 10_000))
      this.#takeDocument(document, 'web.shop');
  }

  /** The point that says how a run of a plugin went. */
  takeRun(): void {
    const fields = { value: 0, duration: 12.5, points: 3 };
    const form = new PointForm({ database: 'web.shop', host: 'db1' }, 'plugin.load', {});
    this.#takeDocument(form.encode(1_700_000_000, fields, ['status', 'ok']), 'web.shop');
  }

  #takeDocument({ text, points }: PointsDocument, namespace: string): void {
    const name = `record ${this.#taken}`;
    this.#taken += 1;
    for (const feed of this.feeds) {
      feed.take({ namespace, points, document: Buffer.from(text) }, (loss) => {
        if (loss) this.losses.push(loss);
        else this.secured.push(name);
      });
    }
  }

  /** How the instance of this place stands. */
  plugin(place = 0): GoPluginStatus {
    const plugin = this.status(place).plugin;
    if (!plugin) throw new Error(`output ${place} is no Golang output plugin`);
    return plugin;
  }

  status(place = 0) {
    const feed = this.feeds[place];
    if (!feed) throw new Error(`there is no output ${place}`);
    return feed.status();
  }

  /** What the plugin `behaves` wrote down, of one instance where its alias is given. */
  events(id?: string): readonly WrittenEvent[] {
    const events = readLines(join(this.folder, 'events')).map((line): WrittenEvent => JSON.parse(line));
    return id === undefined ? events : events.filter((event) => event.id === id);
  }

  /** The values of its events. */
  values(id?: string): readonly unknown[] {
    return this.events(id).map(({ record }) => record.value);
  }

  /** What the plugin noted of its calls. */
  calls(): readonly string[] {
    return readLines(join(this.folder, 'calls'));
  }

  /** Messages of the log that hold the text. */
  said(text: string): readonly RecordedLine[] {
    return this.lines.filter(({ message }) => message.includes(text));
  }

  async close(withinMs = 5000): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const feed of this.feeds) feed.hurry();
    await Promise.all(this.feeds.map((feed) => feed.close(withinMs)));
  }

  #settings({ properties, ...some }: GoOutputUnderTest, place: number): OutputSettings {
    const alias = some.alias ?? `go${place}`;
    const own = {
      id: alias,
      events: join(this.folder, 'events'),
      calls: join(this.folder, 'calls'),
      ...properties,
    };
    const settings = goSettings(alias);
    const library = some.library ?? builtGoOutput('behaves');
    return { ...settings, ...some, alias, library, properties: Object.entries(own) };
  }
}

/** Settings that are fit for tests; the library is missing. */
export function goSettings(alias: string): GoOutputSettings & Pick<OutputSettings, 'alias' | 'bufferSize'> {
  return {
    alias,
    name: 'go',
    bufferSize: 100_000,
    library: '',
    problem: undefined,
    pluginName: '',
    properties: [],
    reservedKeys: [],
    match: undefined,
    matchRegex: undefined,
    topicPrefix: 'collect.',
    format: 'nested',
    flushMs: 20,
    graceMs: 5000,
    workers: 1,
    retryLimit: 1,
    retryBaseMs: 10,
    retryCapMs: 50,
    flushTimeoutMs: 60_000,
    deadLetterFile: undefined,
    logLevel: 'info',
    logSuppressIntervalMs: 0,
    storageLimitBytes: undefined,
    hostEnvironment: {},
  };
}

function metricOf(value: FieldValue, tags: Readonly<Record<string, string>>) {
  return { name: 'metric', value, timestamp: 1_700_000_000, tags };
}

function documentsOf(
  metrics: readonly object[],
  namespace: string,
  maxBytes: number,
): readonly PointsDocument[] {
  const settings = { database: namespace, measurementPrefix: '', host: 'db1', maxBytes };
  return encodeMetrics(metrics, settings, 0).documents;
}

/** The lines of a file; none when it is not there. */
export function readLines(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}

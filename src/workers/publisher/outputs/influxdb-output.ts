import pLimit from 'p-limit';
import type { Log } from '../../../shared/log.js';
import type { InfluxdbOutputSettings } from '../../../shared/output-settings.js';
import { InfluxdbClient } from './influxdb-client.js';
import { DatabaseWriter, type WriterSurroundings } from './influxdb-database.js';
import { LineProtocol } from './influxdb-line-protocol.js';
import { RequestSize } from './influxdb-request-size.js';
import { WriteTroubles } from './influxdb-troubles.js';
import type { Output, OutputRecord, OutputState, Settle } from './output.js';

/** Requests under way at once, to different databases: those to the same one keep their order. */
const REQUESTS_AT_ONCE = 2;

/**
 * Writes the points of the documents to an InfluxDB of version 1, 2 or 3. Of two points with the same measurement, tags
 * and second InfluxDB keeps the later one's fields, so that what is sent again is not there twice.
 */
export class InfluxdbOutput implements Output {
  readonly #settings: InfluxdbOutputSettings;
  readonly #closing = new AbortController();
  readonly #client: InfluxdbClient;
  readonly #troubles: WriteTroubles;
  readonly #around: WriterSurroundings;
  /** Those that have something to write. */
  readonly #writers = new Map<string, { readonly writer: DatabaseWriter; readonly isIdle: Promise<void> }>();
  #retriedRecords = 0;

  /** @param alias names it in the log */
  constructor(alias: string, settings: InfluxdbOutputSettings, log: Log) {
    this.#settings = settings;
    this.#client = new InfluxdbClient(settings, REQUESTS_AT_ONCE);
    this.#troubles = new WriteTroubles(alias, this.#client.address, log);
    this.#around = {
      client: this.#client,
      protocol: new LineProtocol(settings),
      size: new RequestSize(),
      troubles: this.#troubles,
      closing: this.#closing.signal,
      batchPoints: settings.batchPoints,
      inTurn: pLimit(REQUESTS_AT_ONCE),
      onSentAgain: (records) => {
        this.#retriedRecords += records;
      },
    };
  }

  deliver(record: OutputRecord, settle: Settle): void {
    const database = this.#settings.database.replaceAll('%s', () => record.namespace);
    const known = this.#writers.get(database);
    const writer = known?.writer ?? new DatabaseWriter(database, this.#around);
    const isIdle = writer.deliver(record, settle);
    if (known?.isIdle === isIdle) return;
    const entry = { writer, isIdle };
    this.#writers.set(database, entry);
    void isIdle.then(() => {
      if (this.#writers.get(database) === entry) this.#writers.delete(database);
    });
  }

  state(): OutputState {
    return {
      state: this.#troubles.state,
      isUp: this.#troubles.isUp,
      lastError: this.#troubles.lastError,
      retriedRecords: this.#retriedRecords,
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#writers.values()].map(({ isIdle }) => isIdle));
    await this.#client.close();
  }
}

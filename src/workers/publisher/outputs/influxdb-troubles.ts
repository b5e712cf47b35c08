import type { Log } from '../../../shared/log.js';
import type { WriteFailure } from './influxdb-answer.js';

/** Databases that are named in one sentence. */
const NAMED_MAX = 3;

/** Knows what cannot be written to now, and says so when that changes: not for each try. */
export class WriteTroubles {
  readonly #output: string;
  readonly #address: string;
  readonly #log: Log;
  readonly #databases = new Set<string>();
  #isServerFailing = false;
  #lastError: string | undefined;

  /**
   * @param output alias of the output
   * @param address of the server, without credentials
   */
  constructor(output: string, address: string, log: Log) {
    this.#output = output;
    this.#address = address;
    this.#log = log;
  }

  get isUp(): boolean {
    return !this.#isServerFailing && this.#databases.size === 0;
  }

  get lastError(): string | undefined {
    return this.#lastError;
  }

  /** How things stand, in words for an operator. */
  get state(): string {
    if (this.#isServerFailing) return `cannot write to InfluxDB at ${this.#address}`;
    if (this.#databases.size === 0) return `writing to InfluxDB at ${this.#address}`;
    const named = [...this.#databases].slice(0, NAMED_MAX).map((name) => JSON.stringify(name));
    const others = this.#databases.size - named.length;
    const list = others > 0 ? `${named.join(', ')} and ${others} more` : named.join(', ');
    return `cannot write to database ${list} of InfluxDB at ${this.#address}`;
  }

  failed(database: string, { reason, scope }: WriteFailure): void {
    this.#lastError = reason;
    if (scope === 'server') {
      if (this.#isServerFailing) return;
      this.#isServerFailing = true;
      this.#sayFailed({}, `InfluxDB at ${this.#address}: ${reason}`);
      return;
    }
    this.#serverAnswered();
    if (this.#databases.has(database)) return;
    this.#databases.add(database);
    this.#sayFailed(
      { database },
      `database ${JSON.stringify(database)} of InfluxDB at ${this.#address}: ${reason}`,
    );
  }

  /** The server took points for this database, or said what is wrong with them. */
  worked(database: string): void {
    this.#serverAnswered();
    if (!this.#databases.delete(database)) return;
    this.#sayWorks({ database }, `database ${JSON.stringify(database)} of InfluxDB at ${this.#address}`);
  }

  #serverAnswered(): void {
    if (!this.#isServerFailing) return;
    this.#isServerFailing = false;
    this.#sayWorks({}, `InfluxDB at ${this.#address}`);
  }

  #sayFailed(fields: { readonly database?: string }, what: string): void {
    this.#log.error(
      { output: this.#output, ...fields },
      `cannot write to ${what}; points are kept and sent again`,
    );
  }

  #sayWorks(fields: { readonly database?: string }, what: string): void {
    this.#log.info({ output: this.#output, ...fields }, `writing to ${what} again`);
  }
}

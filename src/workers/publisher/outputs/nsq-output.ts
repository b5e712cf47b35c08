import { codeOf, reasonOf } from '../../../shared/coded-error.js';
import type { Log } from '../../../shared/log.js';
import { NsqProducer } from '../../../shared/nsq-tcp/producer.js';
import type { ProducerEvent, ProducerEventKind } from '../../../shared/nsq-tcp/producer-event.js';
import type { NsqOutputSettings } from '../../../shared/output-settings.js';
import type { Output, OutputRecord, OutputState, Settle } from './output.js';

/** A broker that comes back is noticed within this; the jitter below it keeps a fleet from coming all at once. */
const RECONNECT_CAP_MS = 5000;

/** The same event of the same server is logged again after this long, not each time the producer tries. */
const SAME_EVENT_INTERVAL_MS = 60_000;

const GOOD_NEWS: ReadonlySet<ProducerEventKind> = new Set([
  'connected',
  'server-appeared',
  'lookupd-recovered',
]);

/** Publishes each points document as a message to the topic of its namespace. */
export class NsqOutput implements Output {
  readonly #alias: string;
  readonly #topicPrefix: string;
  readonly #producer: NsqProducer;
  readonly #log: Log;
  readonly #saidAt = new Map<string, number>();

  /** @param alias names it in the log */
  constructor(alias: string, settings: NsqOutputSettings, log: Log) {
    this.#alias = alias;
    this.#topicPrefix = settings.topicPrefix;
    this.#log = log;
    this.#producer = new NsqProducer({
      servers: settings.servers,
      lookupd: settings.lookupd,
      compression: settings.compression,
      maxMessageBytes: settings.maxMessageBytes,
      hostname: settings.hostname,
      userAgent: settings.userAgent,
      responseTimeoutMs: settings.responseTimeoutMs,
      backOffCapMs: RECONNECT_CAP_MS,
      ...(settings.tls && { tls: settings.tls }),
      ...(settings.authSecret !== undefined && { authSecret: settings.authSecret }),
      onEvent: (event) => this.#say(event),
    });
  }

  deliver(record: OutputRecord, settle: Settle): void {
    this.#producer.submit(this.#topicPrefix + record.namespace, record.document, {
      resolve: () => settle(),
      reject: (error) => {
        // What a closed producer leaves behind is neither delivered nor refused: it stays in the ring.
        if (codeOf(error) !== 'nsq-closed') settle(reasonOf(error));
      },
    });
  }

  state(): OutputState {
    const { state, server, servers, lastError, counts } = this.#producer.status();
    return {
      state: server === undefined ? state : `${state}: nsqd ${server}`,
      isUp: state === 'connected',
      servers: servers.map(({ server, origin, state, failures, lastError }) => ({
        server,
        origin,
        state,
        failures,
        lastError,
      })),
      lastError,
      retriedRecords: counts.sentAgain,
    };
  }

  async close(): Promise<void> {
    await this.#producer.close();
  }

  #say({ kind, server, message }: ProducerEvent): void {
    // The publisher says which points a refusal costs.
    if (kind === 'refused') return;
    const key = `${kind} ${server}`;
    const now = performance.now();
    if (now - (this.#saidAt.get(key) ?? Number.NEGATIVE_INFINITY) < SAME_EVENT_INTERVAL_MS) return;
    this.#saidAt.set(key, now);
    this.#log[GOOD_NEWS.has(kind) ? 'info' : 'warn']({ output: this.#alias, server }, message);
  }
}

import { CodedError } from '../coded-error.js';
import { Backlog, type Batch, type Promised } from './backlog.js';
import { dpub, mpub, pub } from './commands.js';
import type { NsqConnection } from './connection.js';
import type { ConnectionEnd } from './connection-end.js';
import { type NsqError, refusalOf, verdictOn } from './nsq-error.js';
import { type NsqProducerOptions, type ProducerSettings, producerSettings } from './options.js';
import type { ProducerEvent, ProducerEventKind } from './producer-event.js';
import type { ProducerStatus } from './producer-status.js';
import type { ServerAddress } from './server-address.js';
import { Uplink } from './uplink.js';
import { delayProblem, messageProblem, topicProblem } from './validity.js';

export type { Promised } from './backlog.js';
export type { LookupdHealth } from './discovery.js';
export type { NsqProducerOptions, NsqTls } from './options.js';
export type { ProducerEvent, ProducerEventKind } from './producer-event.js';
export type { ProducerStatus } from './producer-status.js';
export type { ServerHealth } from './server-health.js';

/** How a message is published. */
export interface PublishOptions {
  /**
   * How long nsqd holds the message back, counted from when it takes it; a whole number of milliseconds. Such
   * messages go one by one, and have no order among themselves or with others.
   */
  readonly delayMs?: number;
}

/** However small a server's bound for an MPUB seems to be, batches are not made smaller than this beforehand. */
const LEAST_BATCH_BYTES = 64 * 1024;

/** Events that are no errors. */
const GOOD_NEWS: ReadonlySet<ProducerEventKind> = new Set([
  'connected',
  'not-compressed',
  'server-appeared',
  'server-vanished',
  'lookupd-recovered',
] as const);

/**
 * Publishes messages to one of several nsqd, at least once: what was handed over is sent again, over new connections
 * and to other servers, until an nsqd acknowledged it, refused it for good, or the producer is closed.
 * A message can arrive twice when a connection ends before its answer came. Messages of a topic keep their order
 * as long as the connection holds. What waits is kept in memory; without `maxUnsettled…` the caller bounds what it
 * hands over.
 *
 * Connects on its own from the start, and keeps the process alive until `close()`.
 *
 * This file is the entry of the module: what it exports is public, everything else is inside.
 */
export class NsqProducer {
  readonly #settings: ProducerSettings;
  readonly #uplink: Uplink<Batch>;
  readonly #backlog: Backlog;
  readonly #counts = { published: 0, refused: 0, sentAgain: 0 };
  #lastError: string | undefined;
  #flushIsDue = false;
  /**
   * Commands still to be answered before several are sent at once again. After a connection that ended without a word
   * one goes at a time: should one of them be what the server falls over, its error is not lost among later writes,
   * and the others get through.
   */
  #probes = 0;
  #isClosed = false;
  #closing: Promise<void> | undefined;
  readonly #drained: (() => void)[] = [];

  /** Throws CodedError `nsq-options`. */
  constructor(options: NsqProducerOptions) {
    this.#settings = producerSettings(options);
    this.#backlog = new Backlog(this.#settings);
    this.#uplink = new Uplink<Batch>(this.#settings, {
      ready: () => this.#flushSoon(),
      answered: (batch) => this.#answered(batch),
      ended: (end, server) => this.#ended(end, server),
      told: (event) => this.#tell(event),
    });
  }

  /**
   * Resolves when an nsqd acknowledged the message, however long that takes. Its bytes, which may lie in shared memory,
   * must stay as they are until then. Rejects with a CodedError only when it can never be taken: `nsq-bad-topic`,
   * `nsq-unauthorized` (the topic is not allowed to this client), `nsq-message-too-large`, `nsq-bad-message` (empty,
   * or refused by the server), `nsq-bad-delay`, `nsq-full` (too much is unsettled: try again later), `nsq-closed` (the
   * producer was closed first: it may or may not have arrived).
   */
  publish(topic: string, message: Uint8Array, options: PublishOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => this.submit(topic, message, { resolve, reject }, options));
  }

  /**
   * As `publish`, with calls in place of a promise, of which the many small messages of a busy publisher would feel the
   * cost: one of the two is called, once, after this has returned.
   */
  submit(topic: string, message: Uint8Array, promised: Promised, options: PublishOptions = {}): void {
    // No delay is no reason to go without the company of other messages.
    const delayMs = options.delayMs === 0 ? undefined : options.delayMs;
    const problem = this.#problem(topic, message, delayMs);
    if (problem !== undefined) {
      queueMicrotask(() => promised.reject(problem));
      return;
    }
    this.#backlog.add(topic, message, promised, delayMs);
    this.#flushSoon();
  }

  /** Resolves as soon as every message handed over is settled. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained.push(resolve);
      this.#tellDrained();
    });
  }

  /** Rejects what is not settled, and resolves when the connection is closed. Nothing is left running. */
  close(): Promise<void> {
    // Before anybody is told: who hands over again what is rejected now hears the same.
    this.#isClosed = true;
    this.#closing ??= this.#close();
    return this.#closing;
  }

  status(): ProducerStatus {
    const { onTheWay, waiting } = this.#backlog;
    const uplink = this.#uplink.status();
    return {
      ...uplink,
      lastError: this.#lastError,
      inFlight: onTheWay.messages,
      inFlightBytes: onTheWay.bytes,
      waiting: waiting.messages,
      waitingBytes: waiting.bytes,
      counts: { ...this.#counts, ...uplink.counts },
    };
  }

  #problem(topic: string, message: Uint8Array, delayMs: number | undefined): CodedError | undefined {
    if (this.#isClosed) {
      return new CodedError(
        'nsq-closed',
        `the message for topic ${topic} came after the producer was closed`,
      );
    }
    return (
      topicProblem(topic) ??
      messageProblem(topic, message, this.#settings.maxMessageBytes) ??
      (delayMs === undefined ? undefined : delayProblem(topic, delayMs)) ??
      this.#fullness(topic, message)
    );
  }

  #fullness(topic: string, message: Uint8Array): CodedError | undefined {
    const { onTheWay, waiting } = this.#backlog;
    const messages = onTheWay.messages + waiting.messages;
    const bytes = onTheWay.bytes + waiting.bytes;
    const { maxUnsettledMessages, maxUnsettledBytes } = this.#settings;
    if (messages < maxUnsettledMessages && bytes + message.length <= maxUnsettledBytes) return undefined;
    if (messages === 0) return undefined;
    return new CodedError(
      'nsq-full',
      `a message for topic ${topic} came while too much is not settled (messages: ${messages}, bytes: ${bytes}): ` +
        'publish less at a time, or raise the bounds',
    );
  }

  async #close(): Promise<void> {
    const { unanswered, closed } = this.#uplink.close();
    for (const batch of [...unanswered, ...this.#backlog.clear()]) {
      reject(batch, new CodedError('nsq-closed', `the producer was closed before an nsqd took the message`));
    }
    this.#tellDrained();
    await closed;
  }

  #answered(batch: Batch): void {
    if (this.#probes > 0) this.#probes--;
    this.#backlog.settle(batch);
    this.#counts.published += batch.messages.length;
    for (const promised of batch.promised) promised.resolve();
    // Most answers leave nothing to send, and a look for it costs as much as they do.
    if (this.#backlog.hasReady) this.#flushSoon();
    this.#tellDrained();
  }

  #ended(end: ConnectionEnd<Batch>, server: ServerAddress): void {
    const { refused } = end;
    const verdict = refused === undefined ? 'again' : verdictOn(refused.error);
    const again =
      refused !== undefined && verdict === 'again' ? [refused.token, ...end.unanswered] : end.unanswered;
    for (const batch of again) this.#countAgain(batch);
    this.#backlog.giveBack(again);
    if (refused === undefined) this.#probes = Math.max(this.#probes, again.length);
    if (refused === undefined || verdict === 'again') return;
    if (verdict === 'split' && refused.token.messages.length > 1) this.#split(refused.token, refused.error);
    else this.#refused(refused.token, refused.error, server);
  }

  #refused(batch: Batch, error: NsqError, { text: server }: ServerAddress): void {
    const refusal = refusalOf(error, server, batch.topic);
    this.#backlog.settle(batch);
    this.#counts.refused += batch.messages.length;
    reject(batch, refusal);
    this.#tellDrained();
    this.#tell({ kind: 'refused', server, message: refusal.message });
  }

  #split(batch: Batch, error: NsqError): void {
    this.#countAgain(batch);
    this.#backlog.split(batch);
    if (error.code !== 'E_BAD_BODY') return;
    // The batch as a whole was too large for this server: later ones need not find out again.
    const bytes = batch.messages.reduce((sum, message) => sum + message.length, 0);
    this.#backlog.limitBytes(Math.max(LEAST_BATCH_BYTES, bytes >> 1));
  }

  #countAgain(batch: Batch): void {
    this.#counts.sentAgain += batch.messages.length;
  }

  /** Once per turn, when all of the turn's messages are there. */
  #flushSoon(): void {
    if (this.#flushIsDue || this.#uplink.connection === undefined) return;
    this.#flushIsDue = true;
    queueMicrotask(() => {
      this.#flushIsDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    const { connection } = this.#uplink;
    connection?.sendTogether(() => this.#sendWhatMayGo(connection));
  }

  #sendWhatMayGo(connection: NsqConnection<Batch>): void {
    const window = this.#probes > 0 ? 1 : this.#settings.maxInFlight;
    // Bytes that the network does not take yet would only fill the memory; an answer is due, and flushes again.
    const maxQueuedBytes = 2 * this.#settings.maxBatchBytes;
    while (connection.unanswered.length < window && connection.queuedBytes < maxQueuedBytes) {
      const batch = this.#backlog.take();
      if (batch === undefined) return;
      connection.send(command(batch), batch);
    }
  }

  #tellDrained(): void {
    const { onTheWay, waiting } = this.#backlog;
    if (onTheWay.messages > 0 || waiting.messages > 0) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  #tell(event: ProducerEvent): void {
    if (!GOOD_NEWS.has(event.kind)) this.#lastError = event.message;
    this.#settings.onEvent(event);
  }
}

function command(batch: Batch): Buffer {
  const [message] = batch.messages;
  if (message === undefined || batch.messages.length > 1) return mpub(batch.topic, batch.messages);
  return batch.delayMs === undefined ? pub(batch.topic, message) : dpub(batch.topic, message, batch.delayMs);
}

function reject(batch: Batch, error: CodedError): void {
  for (const promised of batch.promised) promised.reject(error);
}

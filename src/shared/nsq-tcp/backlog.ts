import { MPUB_BODY_OVERHEAD, MPUB_MESSAGE_OVERHEAD } from './commands.js';

/** The ends of the promise that a publisher of a message holds. */
export interface Promised {
  resolve(): void;
  reject(error: Error): void;
}

/** Messages of one topic that go out in one command. */
export interface Batch {
  readonly topic: string;
  readonly messages: readonly Uint8Array[];
  /** One for each message, in the same order. */
  readonly promised: readonly Promised[];
  /** Set for a lone message that nsqd shall hold back this long. */
  readonly delayMs: number | undefined;
  /** Size as the body of an MPUB. */
  readonly bytes: number;
}

/** How much it is, in messages and in bytes. */
export interface Amount {
  readonly messages: number;
  readonly bytes: number;
}

interface OpenBatch extends Batch {
  readonly messages: Uint8Array[];
  readonly promised: Promised[];
  bytes: number;
  /** True once it was sent: it is sent again as it was, so that its messages keep their place. */
  sealed: boolean;
}

interface Topic {
  readonly name: string;
  /** Oldest first; only the last takes further messages. */
  readonly batches: OpenBatch[];
  /** Batches that were taken and not settled. */
  outstanding: number;
  inLine: boolean;
}

/** How large a batch may become. */
export interface BatchLimits {
  readonly maxBatchBytes: number;
  readonly maxBatchMessages: number;
  /** Of all that is on the way; a batch goes, however large, when nothing else is. */
  readonly maxInFlightMessages: number;
  readonly maxInFlightBytes: number;
}

/**
 * From this size on, in bytes, a message goes by itself: its own command costs little beside it, and its answer need
 * not wait for that of others.
 */
const LARGE_MESSAGE = 32 * 1024;

/**
 * The messages that wait to be sent, by topic, cut into batches.
 *
 * The rule of when a batch may go is here (group commit): a topic that has nothing on the way sends at once what
 * it has; while answers are outstanding its messages gather, and only full batches go. Topics take turns.
 * Messages with a delay are in line beside those of their topic, each as a batch of its own: there is no command
 * for several.
 */
export class Backlog {
  readonly #limits: BatchLimits;
  readonly #topics = new Map<string, Topic>();
  /** Topics of messages with a delay. */
  readonly #delayed = new Map<string, Topic>();
  /** Topics that have a batch which may go. */
  readonly #line: Topic[] = [];
  #maxBytes: number;
  #waiting = { messages: 0, bytes: 0 };
  #onTheWay = { messages: 0, bytes: 0 };

  constructor(limits: BatchLimits) {
    this.#limits = limits;
    this.#maxBytes = limits.maxBatchBytes;
  }

  /** What waits; taken batches are not among it. */
  get waiting(): Amount {
    return this.#waiting;
  }

  /** What was taken and not settled. */
  get onTheWay(): Amount {
    return this.#onTheWay;
  }

  /** True when there may be a batch that may go: whether there is room for it on the way only `take` says. */
  get hasReady(): boolean {
    return this.#line.length > 0;
  }

  add(name: string, message: Uint8Array, promised: Promised, delayMs?: number): void {
    const topic = this.#topic(name, delayMs);
    const bytes = message.length + MPUB_MESSAGE_OVERHEAD;
    const batch = delayMs === undefined ? this.#batchWithRoom(topic, bytes) : this.#newBatch(topic, delayMs);
    batch.messages.push(message);
    batch.promised.push(promised);
    batch.bytes += bytes;
    this.#waiting.messages++;
    this.#waiting.bytes += bytes;
    this.#lineUp(topic);
  }

  /** The next batch that may go, or undefined. It is on the way until `settle`, `giveBack` or `split`. */
  take(): Batch | undefined {
    const topic = this.#line[0];
    const batch = topic?.batches[0];
    if (topic === undefined || batch === undefined || !this.#hasRoomFor(batch)) return undefined;
    this.#line.shift();
    topic.batches.shift();
    topic.inLine = false;
    topic.outstanding++;
    batch.sealed = true;
    move(batch, this.#waiting, this.#onTheWay);
    this.#lineUp(topic);
    return batch;
  }

  /** A taken batch is done with: delivered or refused. */
  settle(batch: Batch): void {
    const topic = this.#topicOf(batch);
    topic.outstanding--;
    this.#onTheWay.messages -= batch.messages.length;
    this.#onTheWay.bytes -= batch.bytes;
    this.#lineUp(topic);
    this.#forgetIfIdle(topic);
  }

  /**
   * Puts batches that were taken back to the front of their topics; given in the order in which they were taken.
   * The topic of the first, which may be what ended the connection, comes last in line.
   */
  giveBack(batches: readonly Batch[]): void {
    for (const batch of [...batches].reverse()) {
      const topic = this.#topicOf(batch);
      topic.outstanding--;
      move(batch, this.#onTheWay, this.#waiting);
      topic.batches.unshift({
        ...batch,
        messages: [...batch.messages],
        promised: [...batch.promised],
        sealed: true,
      });
    }
    for (const batch of [...batches.slice(1), ...batches.slice(0, 1)]) this.#lineUp(this.#topicOf(batch));
  }

  /** Puts a taken batch back as two halves. */
  split(batch: Batch): void {
    const topic = this.#topicOf(batch);
    const middle = batch.messages.length >> 1;
    topic.outstanding--;
    this.#onTheWay.messages -= batch.messages.length;
    this.#onTheWay.bytes -= batch.bytes;
    const halves = [part(batch, 0, middle), part(batch, middle, batch.messages.length)];
    for (const half of halves) {
      this.#waiting.messages += half.messages.length;
      this.#waiting.bytes += half.bytes;
    }
    topic.batches.unshift(...halves);
    this.#lineUp(topic);
  }

  /** From now on batches are at most this large, or as large as their only message. Never more than at the start. */
  limitBytes(bytes: number): void {
    this.#maxBytes = Math.min(bytes, this.#maxBytes);
  }

  /** Takes out everything that waits, and forgets what is on the way. */
  clear(): readonly Batch[] {
    const topics = [...this.#topics.values(), ...this.#delayed.values()];
    this.#topics.clear();
    this.#delayed.clear();
    this.#line.length = 0;
    this.#waiting = { messages: 0, bytes: 0 };
    this.#onTheWay = { messages: 0, bytes: 0 };
    return topics.flatMap((topic) => topic.batches);
  }

  #topic(name: string, delayMs: number | undefined): Topic {
    const topics = delayMs === undefined ? this.#topics : this.#delayed;
    const known = topics.get(name);
    if (known !== undefined) return known;
    const topic: Topic = { name, batches: [], outstanding: 0, inLine: false };
    topics.set(name, topic);
    return topic;
  }

  #topicOf(batch: Batch): Topic {
    return this.#topic(batch.topic, batch.delayMs);
  }

  #forgetIfIdle(topic: Topic): void {
    if (topic.outstanding > 0 || topic.batches.length > 0) return;
    for (const topics of [this.#topics, this.#delayed]) {
      if (topics.get(topic.name) === topic) topics.delete(topic.name);
    }
  }

  #batchWithRoom(topic: Topic, bytes: number): OpenBatch {
    const last = bytes < LARGE_MESSAGE ? topic.batches.at(-1) : undefined;
    if (last !== undefined && !this.#isFull(last) && last.bytes + bytes <= this.#maxBytes) return last;
    return this.#newBatch(topic, undefined);
  }

  #newBatch(topic: Topic, delayMs: number | undefined): OpenBatch {
    const batch: OpenBatch = {
      topic: topic.name,
      messages: [],
      promised: [],
      delayMs,
      bytes: MPUB_BODY_OVERHEAD,
      sealed: false,
    };
    this.#waiting.bytes += batch.bytes;
    topic.batches.push(batch);
    return batch;
  }

  #hasRoomFor(batch: Batch): boolean {
    const { messages, bytes } = this.#onTheWay;
    if (messages === 0) return true;
    return (
      messages + batch.messages.length <= this.#limits.maxInFlightMessages &&
      bytes + batch.bytes <= this.#limits.maxInFlightBytes
    );
  }

  #isFull(batch: OpenBatch): boolean {
    return (
      batch.sealed ||
      batch.delayMs !== undefined ||
      isLarge(batch) ||
      batch.messages.length >= this.#limits.maxBatchMessages ||
      batch.bytes >= this.#maxBytes
    );
  }

  #mayGo(topic: Topic): boolean {
    const first = topic.batches[0];
    if (first === undefined) return false;
    return topic.outstanding === 0 || topic.batches.length > 1 || this.#isFull(first);
  }

  #lineUp(topic: Topic): void {
    if (topic.inLine || !this.#mayGo(topic)) return;
    topic.inLine = true;
    this.#line.push(topic);
  }
}

function isLarge(batch: Batch): boolean {
  return batch.messages.length === 1 && batch.bytes >= LARGE_MESSAGE;
}

function move(
  batch: Batch,
  from: { messages: number; bytes: number },
  to: { messages: number; bytes: number },
): void {
  from.messages -= batch.messages.length;
  from.bytes -= batch.bytes;
  to.messages += batch.messages.length;
  to.bytes += batch.bytes;
}

function part(batch: Batch, from: number, to: number): OpenBatch {
  const messages = batch.messages.slice(from, to);
  return {
    ...batch,
    messages,
    promised: batch.promised.slice(from, to),
    bytes: messages.reduce(
      (sum, message) => sum + message.length + MPUB_MESSAGE_OVERHEAD,
      MPUB_BODY_OVERHEAD,
    ),
    sealed: true,
  };
}

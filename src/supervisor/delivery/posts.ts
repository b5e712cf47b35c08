import type { PostOutcome, RecordName } from '../../shared/messages.js';
import type { DocumentSettings, PointsDocument } from '../../shared/points-document.js';
import { encodePost } from '../../shared/post-body.js';
import type { LaneWriter } from '../../shared/ring/lane-writer.js';
import { OWN_MEMORY_BYTES, type PostAnswer } from '../http/operations.js';
import type { RunnerPool } from '../plugins/runner-pool.js';
import type { NoticeBoard } from './notice-board.js';

/** How long a large post waits for room in the ring. */
const ROOM_TIMEOUT_MS = 3_000;

const RETRY_AFTER_SECONDS = 5;

/** What holds for every post. */
export interface PostSettings {
  readonly databasePrefix: string;
  readonly measurementPrefix: string;
  readonly host: string;
  readonly maxDocumentBytes: number;
  /** How long a post waits for the output's word, once its points are in the ring. */
  readonly deliveryTimeoutMs: number;
}

/** Posts since the agent started: those that were answered with 200, the points in them, and all others. */
export interface PostCounts {
  accepted: number;
  points: number;
  refused: number;
}

/** Takes posts: into the ring, and answered only when what became of them is known. */
export class Posts {
  readonly counts: PostCounts = { accepted: 0, points: 0, refused: 0 };
  readonly #settings: PostSettings;
  readonly #lane: LaneWriter;
  readonly #board: NoticeBoard;
  readonly #runners: RunnerPool;

  constructor(settings: PostSettings, lane: LaneWriter, board: NoticeBoard, runners: RunnerPool) {
    this.#settings = settings;
    this.#lane = lane;
    this.#board = board;
    this.#runners = runners;
  }

  /** @param body is the caller's no longer: a large one is moved to a worker */
  async post(namespace: string, body: Buffer): Promise<PostAnswer> {
    const answer = await this.#take(namespace, body);
    if (answer.type === 'accepted') {
      this.counts.accepted += 1;
      this.counts.points += answer.points;
    } else {
      this.counts.refused += 1;
    }
    return answer;
  }

  /** From now on no post waits for the broker: those that do are answered that it is not confirmed. */
  stopWaiting(): void {
    this.#board.close();
  }

  async #take(namespace: string, body: Buffer): Promise<PostAnswer> {
    const written =
      body.length <= OWN_MEMORY_BYTES
        ? this.#writeHere(namespace, body)
        : await this.#writeInWorker(namespace, body);
    if (written.type === 'full') return busy('the queue to the outputs is full: the broker is slow or away');
    if (written.type === 'bad-metric')
      return { type: 'bad-metric', index: written.bad.index, reason: written.bad.reason };
    if (written.type === 'not-json') return written;
    return this.#answer(written.points, written.records);
  }

  #writeHere(namespace: string, body: Buffer): PostOutcome {
    const encoded = encodePost(body, this.#documentSettings(namespace));
    if (encoded.type !== 'encoded') return encoded;
    const records: RecordName[] = [];
    for (const document of encoded.documents) {
      const end = this.#write(namespace, document);
      if (end === undefined) return { type: 'full' };
      records.push({ lane: this.#lane.lane, end });
    }
    return { type: 'written', points: encoded.points, records };
  }

  #write(namespace: string, document: PointsDocument): number | undefined {
    return this.#lane.tryWrite({ namespace, document, awaited: true });
  }

  async #writeInWorker(namespace: string, body: Buffer): Promise<PostOutcome> {
    return this.#runners.post({
      type: 'post',
      namespace,
      measurementPrefix: this.#settings.measurementPrefix,
      body: ownMemory(body),
      roomTimeoutMs: ROOM_TIMEOUT_MS,
    });
  }

  #documentSettings(namespace: string): DocumentSettings {
    return {
      database: this.#settings.databasePrefix + namespace,
      measurementPrefix: this.#settings.measurementPrefix,
      host: this.#settings.host,
      maxBytes: this.#settings.maxDocumentBytes,
    };
  }

  async #answer(points: number, records: readonly RecordName[]): Promise<PostAnswer> {
    const { deliveryTimeoutMs } = this.#settings;
    const verdicts = await Promise.all(records.map((record) => this.#board.wait(record, deliveryTimeoutMs)));
    for (const verdict of verdicts) {
      if (verdict.type === 'refused') return { type: 'refused', reason: verdict.reason };
    }
    for (const verdict of verdicts) if (verdict.type === 'no-room') return busy(verdict.reason);
    if (verdicts.some((verdict) => verdict.type === 'late')) {
      return busy(
        `the points are neither delivered nor on disk after ${deliveryTimeoutMs / 1000} s; they may still be delivered`,
      );
    }
    return { type: 'accepted', points };
  }
}

function busy(reason: string): PostAnswer {
  return { type: 'busy', retryAfterSeconds: RETRY_AFTER_SECONDS, reason };
}

/** The body in memory that it shares with nothing else, so that it can be moved to another thread. */
function ownMemory(body: Buffer): Uint8Array {
  const isAlone = body.byteOffset === 0 && body.byteLength === body.buffer.byteLength;
  return isAlone ? body : new Uint8Array(body);
}

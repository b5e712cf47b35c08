import { reasonOf } from '../../shared/coded-error.js';
import type {
  FlushAnswer,
  FlushRequest,
  FromOutputHost,
  InitRequest,
} from '../../shared/output-host/messages.js';
import type { EncodedEvents } from './event-buffer.js';
import type { EventEncoder } from './event-encoder.js';
import type { HostApi } from './host-api.js';
import type { PluginLibrary } from './plugin-library.js';
import { type InstanceMemory, newInstanceMemory, readContext } from './plugin-memory.js';

/** What flushes answer. */
const FLB_ERROR = 0;
const FLB_OK = 1;
const FLB_RETRY = 2;

/** A chunk that waits for its flush, in msgpack already. */
interface ReadyChunk {
  readonly request: FlushRequest;
  readonly pieces: readonly EncodedEvents[];
}

/** What an instance works with. */
export interface InstanceSurroundings {
  readonly library: PluginLibrary;
  readonly pluginName: string;
  readonly api: HostApi;
  readonly encoder: EventEncoder;
  readonly send: (message: FromOutputHost) => void;
}

/** One configured instance of the plugin: flushes its chunks, as many at once as it has workers. */
export class PluginInstance {
  readonly #around: InstanceSurroundings;
  readonly #settings: InitRequest;
  readonly #memory: InstanceMemory;
  readonly #ready: ReadyChunk[] = [];
  readonly #running = new Set<Promise<void>>();
  #context: number | bigint = 0;

  constructor(settings: InitRequest, around: InstanceSurroundings) {
    this.#settings = settings;
    this.#around = around;
    this.#memory = newInstanceMemory(around.pluginName, around.api.address);
    const { instance, properties, reservedKeys } = settings;
    around.api.addInstance(this.#memory.handle, {
      properties,
      reservedKeys,
      onReserved: (key) => around.send({ type: 'reserved-key', instance, key }),
    });
  }

  /** @returns why it failed, or undefined */
  async init(): Promise<string | undefined> {
    const answer = await this.#around.library.init(this.#memory.plugin);
    if (answer <= 0) return `FLBPluginInit returned ${answer}`;
    this.#context = readContext(this.#memory);
    return undefined;
  }

  /** Takes a chunk without waiting. */
  flush(request: FlushRequest, body: Buffer): void {
    try {
      const pieces = this.#around.encoder.encode(body, request.documents, request, request.skip);
      this.#ready.push({ request, pieces });
      this.#flushNext();
    } catch (thrown) {
      this.#answer(request, {
        result: 'error',
        done: request.skip,
        refused: 0,
        bytes: 0,
        reason: `the points are not understood: ${reasonOf(thrown)}`,
      });
    }
  }

  /** Waits for the flushes that are under way. */
  async exit(): Promise<void> {
    this.#ready.length = 0;
    await Promise.all(this.#running);
    await this.#around.library.exitInstance?.(this.#context);
  }

  #flushNext(): void {
    if (this.#running.size >= this.#settings.workers) return;
    const chunk = this.#ready.shift();
    if (!chunk) return;
    const { request } = chunk;
    this.#around.send({ type: 'begun', instance: request.instance, chunk: request.chunk });
    const flush = this.#flushAll(chunk).then((outcome) => {
      this.#running.delete(flush);
      this.#answer(request, outcome);
      this.#flushNext();
    });
    this.#running.add(flush);
  }

  /** Hands over piece by piece; what is refused does not keep the rest. */
  async #flushAll({ request, pieces }: ReadyChunk): Promise<FlushOutcome> {
    let done = request.skip;
    let refused = 0;
    let bytes = 0;
    let reason: string | undefined;
    for (const piece of pieces) {
      bytes += piece.bytes.length;
      const answer = await this.#call(piece.bytes, request.tag);
      if (answer === FLB_RETRY)
        return { result: 'retry', done, refused, bytes, reason: reason ?? 'FLB_RETRY' };
      done += piece.events;
      if (answer === FLB_OK) continue;
      refused += piece.events;
      reason = answer === FLB_ERROR ? 'FLB_ERROR' : `${answer}, which counts as FLB_ERROR`;
    }
    return { result: reason === undefined ? 'ok' : 'error', done, refused, bytes, reason };
  }

  async #call(data: Buffer, tag: string): Promise<number> {
    return this.#around.library.flush(this.#context, data, data.length, tag);
  }

  #answer({ instance, chunk }: FlushRequest, outcome: FlushOutcome): void {
    this.#around.send({ type: 'flushed', instance, chunk, ...outcome });
  }
}

type FlushOutcome = Omit<FlushAnswer, 'type' | 'instance' | 'chunk'>;

/** Everything that passes between the publisher and an output host, as heads of frames. */
import type { LogLevel } from '../log.js';
import type { GoOutputSettings } from '../output-settings.js';

/** The descriptor of the host's end of the socket. */
export const HOST_SOCKET = 3;

/** Which library to load; the first message. */
export interface LoadRequest {
  readonly type: 'load';
  readonly library: string;
}

/** Initialises an instance; one after another. */
export interface InitRequest {
  readonly type: 'init';
  readonly instance: number;
  readonly properties: GoOutputSettings['properties'];
  readonly reservedKeys: readonly string[];
  readonly workers: number;
}

/** Hands a chunk to an instance. The body of its frame holds the points documents, one after another. */
export interface FlushRequest {
  readonly type: 'flush';
  readonly instance: number;
  readonly chunk: number;
  readonly tag: string;
  readonly namespace: string;
  readonly format: GoOutputSettings['format'];
  /** Bytes of each document. */
  readonly documents: readonly number[];
  /** Events at the beginning that are dealt with already. */
  readonly skip: number;
}

/** What the publisher says to an output host. */
export type ToOutputHost =
  | LoadRequest
  | InitRequest
  | FlushRequest
  /** Ends all instances, unregisters, and then the process. */
  | { readonly type: 'close' };

/** What the plugin made of a chunk. */
export interface FlushAnswer {
  readonly type: 'flushed';
  readonly instance: number;
  readonly chunk: number;
  /** `retry`: the events behind `done` are to come again. */
  readonly result: 'ok' | 'error' | 'retry';
  /** Events that are dealt with from the chunk's beginning, those that were skipped included. */
  readonly done: number;
  /** Of those, how many the plugin refused now. */
  readonly refused: number;
  /** Of msgpack, handed over now. */
  readonly bytes: number;
  /** Why not `ok`, in words. */
  readonly reason: string | undefined;
}

/** What an output host says to the publisher. */
export type FromOutputHost =
  | { readonly type: 'loaded'; readonly name: string; readonly description: string }
  | { readonly type: 'load-failed'; readonly reason: string }
  /** Without a reason: it is ready. */
  | { readonly type: 'inited'; readonly instance: number; readonly reason: string | undefined }
  /** A flush of the chunk is under way from now on. */
  | { readonly type: 'begun'; readonly instance: number; readonly chunk: number }
  | FlushAnswer
  | { readonly type: 'reserved-key'; readonly instance: number; readonly key: string }
  /** A line of the plugin's own, by way of the host's interface. */
  | { readonly type: 'said'; readonly level: LogLevel; readonly text: string };

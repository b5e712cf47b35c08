import type { Log } from '../../shared/log.js';
import type { PluginDefinition } from '../registry/plugin-definition.js';
import type { Clone } from './clone.js';

/** What an update did; hashes of commits, `before` undefined when the plugin was not there yet. */
export interface PluginUpdate {
  readonly before: string | undefined;
  readonly after: string;
  readonly changed: boolean;
}

/** What all plugins of a store share. */
export interface StoreParts {
  /** The store's folder. */
  readonly folder: string;
  readonly log: Log;
  readonly retryBaseMs: number;
  readonly retryCapMs: number;
  /** Clones into a folder; throws CodedError. */
  clone(plugin: PluginDefinition, incoming: string, signal: AbortSignal): Promise<Clone>;
  /** Waits for a free place among the clones that may go on at once; retries never take all of them. */
  inTurn<T>(kind: FetchKind, task: () => Promise<T>): Promise<T>;
  /** Work that goes on by itself and that the store waits for when it closes. */
  inBackground(work: Promise<void>): void;
  /** Removes a state folder that was set aside, in the background. What a close interrupts goes at the next `open`. */
  removeStateLeft(folder: string): void;
}

/** `wanted`: somebody asked for it now. `retry`: it failed before. */
export type FetchKind = 'wanted' | 'retry';

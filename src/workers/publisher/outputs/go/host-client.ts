import type { FlushAnswer } from '../../../../shared/output-host/messages.js';
import type { GoOutputSettings } from '../../../../shared/output-settings.js';

/** An instance of the plugin, as its host sees it. */
export interface HostClient {
  readonly alias: string;
  readonly settings: GoOutputSettings;
  /** It is initialised: chunks can be sent. */
  onReady(): void;
  onFlushed(answer: FlushAnswer): void;
  onBegun(chunk: number): void;
  onReservedKey(key: string): void;
  /** What was sent is in doubt, nothing can be sent. @returns how many chunks were under way */
  onGone(reason: string): number;
  /** It cannot be initialised, now. */
  onFailed(reason: string): void;
  /** Other chunks may go now. */
  onTurn(): void;
}

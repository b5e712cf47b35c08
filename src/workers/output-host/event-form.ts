import type { GoOutputSettings } from '../../shared/output-settings.js';

/** How points become events. */
export interface EventForm {
  readonly namespace: string;
  readonly format: GoOutputSettings['format'];
}

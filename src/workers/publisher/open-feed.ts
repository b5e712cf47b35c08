import type { Log } from '../../shared/log.js';
import type { PublisherSetup } from '../../shared/messages.js';
import type { OutputSettings } from '../../shared/output-settings.js';
import { DirectFeed } from './feeds/direct-feed.js';
import type { OutputFeed } from './feeds/output-feed.js';
import { SpooledFeed } from './feeds/spooled-feed.js';
import { openOutput } from './open-output.js';

/** Opens the output that the settings name, and the feed that brings records to it. */
export function openFeed(options: {
  readonly settings: OutputSettings;
  readonly setup: PublisherSetup;
  readonly log: Log;
  readonly onRoom: () => void;
}): OutputFeed {
  const { settings, setup, log, onRoom } = options;
  const output = openOutput(settings, log);
  if (!setup.spool) return new DirectFeed({ settings, output, log, onRoom });
  const { spool, outputs } = setup;
  return new SpooledFeed({ settings, output, spool, outputCount: outputs.length, log, onRoom });
}

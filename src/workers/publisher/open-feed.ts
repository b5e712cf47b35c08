import type { Log } from '../../shared/log.js';
import type { PublisherSetup } from '../../shared/messages.js';
import type { OutputSettings } from '../../shared/output-settings.js';
import { DirectFeed } from './feeds/direct-feed.js';
import { MatchingFeed } from './feeds/matching-feed.js';
import type { OutputFeed } from './feeds/output-feed.js';
import { SpooledFeed } from './feeds/spooled-feed.js';
import { tagMatcher } from './feeds/tag-matcher.js';
import { openOutput } from './open-output.js';
import type { OutputHosts } from './outputs/go/output-hosts.js';

/** Opens the output that the settings name, and the feed that brings records to it. */
export function openFeed(options: {
  readonly settings: OutputSettings;
  readonly setup: PublisherSetup;
  readonly hosts: OutputHosts;
  readonly log: Log;
  readonly onRoom: () => void;
}): OutputFeed {
  const { settings } = options;
  const feed = openFeedOfAll(options);
  const matches = settings.name === 'go' ? tagMatcher(settings) : undefined;
  return matches ? new MatchingFeed(feed, ({ namespace }) => matches(namespace)) : feed;
}

function openFeedOfAll({
  settings,
  setup,
  hosts,
  log,
  onRoom,
}: Parameters<typeof openFeed>[0]): SpooledFeed | DirectFeed {
  const output = openOutput(settings, hosts, log);
  if (!setup.spool) return new DirectFeed({ settings, output, log, onRoom });
  const { spool, outputs } = setup;
  return new SpooledFeed({ settings, output, spool, outputCount: outputs.length, log, onRoom });
}

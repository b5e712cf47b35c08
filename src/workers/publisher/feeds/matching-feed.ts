import type { OutputStatus } from '../../../shared/output-status.js';
import type { OutputRecord } from '../outputs/output.js';
import type { FeedRemains, OutputFeed, Secured } from './output-feed.js';

/** Passes on the records that an output is to have; the others are none of its business, and are not counted. */
export class MatchingFeed implements OutputFeed {
  readonly #feed: OutputFeed;
  readonly #matches: (record: OutputRecord) => boolean;

  constructor(feed: OutputFeed, matches: (record: OutputRecord) => boolean) {
    this.#feed = feed;
    this.#matches = matches;
  }

  get isFull(): boolean {
    return this.#feed.isFull;
  }

  get ready(): Promise<void> {
    return this.#feed.ready;
  }

  take(record: OutputRecord, secured: Secured): void {
    if (this.#matches(record)) this.#feed.take(record, secured);
    else secured();
  }

  status(): OutputStatus {
    return this.#feed.status();
  }

  hurry(): void {
    this.#feed.hurry();
  }

  async close(withinMs: number): Promise<FeedRemains> {
    return this.#feed.close(withinMs);
  }
}

import type { Log } from '../../../shared/log.js';
import type { Loss } from '../../../shared/messages.js';
import type { OutputRecord } from '../outputs/output.js';
import type { SpoolDropReason } from '../spool/spool-entry.js';
import { FeedCounts } from './feed-counts.js';
import { LossLog } from './loss-log.js';
import { SetAsideFile } from './set-aside-file.js';

export interface RecordFatesOptions {
  /** Alias of the output. */
  readonly output: string;
  /** File of what was refused. */
  readonly setAsidePath: string;
  /** Bound of what is set aside on disk, in bytes. */
  readonly setAsideBytes: number;
  /** Between two lines about losses for the same cause; 0: as usual. */
  readonly sayIntervalMs: number;
  readonly log: Log;
}

const DROP_SENTENCES = {
  full: 'dropped, the oldest first, because its share of the spool is full ([spool] maxbytes)',
  damaged: 'lost because the disk does not give them back',
} as const;

const NO_ROOM = 'neither memory nor disk has room for them, and other outputs are not kept waiting';

/** What becomes of the records of an output: counted, logged where they are lost, set aside where they are refused. */
export class RecordFates {
  readonly counts = new FeedCounts();
  readonly #output: string;
  readonly #log: LossLog;
  readonly #setAside: SetAsideFile;

  constructor({ output, setAsidePath, setAsideBytes, sayIntervalMs, log }: RecordFatesOptions) {
    this.#output = output;
    this.#log = new LossLog(output, log, sayIntervalMs);
    // The file and the one before it share the bound.
    const maxBytes = Math.floor(setAsideBytes / 2);
    this.#setAside = new SetAsideFile({ path: setAsidePath, maxBytes, output, log });
  }

  /** The output has settled a record: delivered it or, in whole or in part, refused it for good. */
  settled(record: OutputRecord, refusal: string | undefined, refusedPoints = record.points): void {
    if (refusal === undefined) {
      this.counts.delivered(record);
      return;
    }
    this.counts.setAside(record, refusedPoints);
    this.#setAside.add(record, refusal);
    const what = `refused and set aside in ${this.#setAside.path}: ${refusal}`;
    this.#log.say('refused', record.namespace, refusedPoints, what);
  }

  /** The disk has them no longer, and nobody else has. */
  dropped(namespace: string, points: number, reason: SpoolDropReason): void {
    this.counts.dropped(points, reason);
    this.#log.say(reason, namespace, points, DROP_SENTENCES[reason]);
  }

  /** There was no place for a record anywhere; the answer is what to tell who waits for it. */
  withoutRoom({ namespace, points }: OutputRecord): Loss {
    this.counts.dropped(points, 'no-room');
    this.#log.say('no-room', namespace, points, `lost: ${NO_ROOM}`);
    return { kind: 'no-room', reason: `output ${this.#output}: ${NO_ROOM}` };
  }

  async close(): Promise<void> {
    await this.#setAside.close();
    this.#log.close();
  }
}

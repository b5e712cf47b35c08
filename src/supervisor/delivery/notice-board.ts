import type { Loss, Notice, RecordName } from '../../shared/messages.js';

/** What became of a record within the time that somebody was ready to wait. */
export type Verdict =
  | { readonly type: 'safe' }
  | { readonly type: Loss['kind']; readonly reason: string }
  | { readonly type: 'late' };

/**
 * A notice can be here before the one who waits for it: the publisher may deliver what a worker has written before the
 * worker's answer arrives. Such notices are kept for one to two of these periods, or until so many came after them.
 * Not for long, as a lane's positions come again after 4 GiB, and then name other records.
 */
const EARLY_PERIOD_MS = 10_000;
const EARLY_NOTICES_MAX = 8192;

/** Brings the publisher's notices to those who wait for them. */
export class NoticeBoard {
  readonly #earlyPeriodMs: number;
  readonly #waiting = new Map<number, (verdict: Verdict) => void>();
  /** Of this period, and of the one before. */
  #early = new Map<number, Notice>();
  #earlier = new Map<number, Notice>();
  #periodEndsAt = 0;
  #isClosed = false;

  constructor(earlyPeriodMs = EARLY_PERIOD_MS) {
    this.#earlyPeriodMs = earlyPeriodMs;
  }

  /** Takes notices that came from the publisher. */
  post(notices: readonly Notice[]): void {
    for (const notice of notices) {
      const key = keyOf(notice);
      const resolve = this.#waiting.get(key);
      if (resolve) resolve(verdictOf(notice));
      else this.#keep(key, notice);
    }
  }

  /** Resolves when the record's notice is here, or after `timeoutMs` as late. */
  async wait(record: RecordName, timeoutMs: number): Promise<Verdict> {
    const key = keyOf(record);
    const early = this.#takeEarly(key);
    if (early) return verdictOf(early);
    if (this.#isClosed) return { type: 'late' };
    return new Promise((resolve) => {
      const settle = (verdict: Verdict) => {
        clearTimeout(timer);
        this.#waiting.delete(key);
        resolve(verdict);
      };
      const timer = setTimeout(settle, timeoutMs, { type: 'late' });
      this.#waiting.set(key, settle);
    });
  }

  /** From now on nobody waits: whoever does, or comes to, is told that it is late. */
  close(): void {
    this.#isClosed = true;
    for (const settle of [...this.#waiting.values()]) settle({ type: 'late' });
  }

  #keep(key: number, notice: Notice): void {
    this.#forgetOld();
    this.#early.set(key, notice);
  }

  #takeEarly(key: number): Notice | undefined {
    this.#forgetOld();
    const notice = this.#early.get(key) ?? this.#earlier.get(key);
    this.#early.delete(key);
    this.#earlier.delete(key);
    return notice;
  }

  /** Notices that nobody will ask for any more (their post timed out, its worker died) leave with their period. */
  #forgetOld(): void {
    const now = performance.now();
    if (now < this.#periodEndsAt && this.#early.size < EARLY_NOTICES_MAX) return;
    const wasLongAgo = now > this.#periodEndsAt + this.#earlyPeriodMs;
    this.#earlier = wasLongAgo ? new Map() : this.#early;
    this.#early = new Map();
    this.#periodEndsAt = now + this.#earlyPeriodMs;
  }
}

function verdictOf(notice: Notice): Verdict {
  return notice.loss ? { type: notice.loss.kind, reason: notice.loss.reason } : { type: 'safe' };
}

/** Lane and position as one whole number below 2^53. */
function keyOf({ lane, end }: RecordName): number {
  return lane * 2 ** 32 + (end >>> 0);
}

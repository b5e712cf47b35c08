import type { OutputRecord } from '../outputs/output.js';
import { recordBytes } from '../spool/record-format.js';
import type { Secured } from './output-feed.js';

/** A record that the output was given and has not settled, with a document of its own. */
export interface HeldRecord extends OutputRecord {
  /** By `performance.now()`. */
  readonly takenAt: number;
  /** Undefined once it is safe. */
  secured: Secured | undefined;
  /** Only here, on its way to the disk, or on it. */
  place: 'memory' | 'storing' | 'stored';
  /** Its name in the spool, when it is stored. */
  id: number | undefined;
  /** The output is done with it. */
  isSettled: boolean;
}

/** Documents of few points may be large, so that a bound in points alone does not do. Bytes. */
const MEMORY_MOST_BYTES = 64 * 1024 * 1024;

/** The records that wait for their output in memory, oldest first; bounded in points and bytes. */
export class HeldRecords {
  readonly #mostPoints: number;
  readonly #records = new Set<HeldRecord>();
  readonly #ids = new Set<number>();
  #points = 0;
  #bytes = 0;

  constructor(mostPoints: number) {
    this.#mostPoints = mostPoints;
  }

  get size(): number {
    return this.#records.size;
  }

  get points(): number {
    return this.#points;
  }

  /** One record fits always, however large. */
  hasRoomFor({ points, document }: OutputRecord): boolean {
    if (this.#records.size === 0) return true;
    return this.#points + points <= this.#mostPoints && this.#bytes + document.length <= MEMORY_MOST_BYTES;
  }

  /** Copies the document. With an id the record is on disk already. */
  add(record: OutputRecord, secured: Secured | undefined, id: number | undefined): HeldRecord {
    const held: HeldRecord = {
      namespace: record.namespace,
      points: record.points,
      document: Buffer.from(record.document),
      takenAt: performance.now(),
      secured,
      place: id === undefined ? 'memory' : 'stored',
      id,
      isSettled: false,
    };
    this.#records.add(held);
    this.#points += held.points;
    this.#bytes += held.document.length;
    if (id !== undefined) this.#ids.add(id);
    return held;
  }

  /** It is on disk from now on, too. */
  noteStored(held: HeldRecord, id: number): void {
    held.place = 'stored';
    held.id = id;
    if (!held.isSettled) this.#ids.add(id);
  }

  remove(held: HeldRecord): void {
    held.isSettled = true;
    this.#records.delete(held);
    this.#points -= held.points;
    this.#bytes -= held.document.length;
    if (held.id !== undefined) this.#ids.delete(held.id);
  }

  /** Those that were put on disk, too. */
  *stored(): Generator<HeldRecord & { readonly id: number }> {
    for (const held of this.#records) if (isStored(held)) yield held;
  }

  /** True for a record on disk that is here, too. */
  hasId(id: number): boolean {
    return this.#ids.has(id);
  }

  /** Age of the oldest, in milliseconds; 0 when there is none. */
  get oldestAgeMs(): number {
    const [oldest] = this.#records;
    return oldest ? performance.now() - oldest.takenAt : 0;
  }

  /** Points that are nowhere but in memory. */
  get pointsInMemoryOnly(): number {
    let points = 0;
    for (const held of this.#records) if (held.place !== 'stored') points += held.points;
    return points;
  }

  /** The oldest that are only in memory, at least so old and together at most so many bytes on disk, or one. */
  unstored(minimumAgeMs: number, mostBytes: number): HeldRecord[] {
    const takenBefore = performance.now() - minimumAgeMs;
    const found: HeldRecord[] = [];
    let bytes = 0;
    for (const held of this.#records) {
      if (held.takenAt > takenBefore) break;
      if (held.place !== 'memory') continue;
      bytes += recordBytes(held);
      if (found.length > 0 && bytes > mostBytes) break;
      found.push(held);
    }
    return found;
  }
}

function isStored(held: HeldRecord): held is HeldRecord & { readonly id: number } {
  return held.id !== undefined;
}

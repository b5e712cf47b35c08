import type { FileHandle } from 'node:fs/promises';
import { Contents } from './contents.js';
import { FileWindow } from './file-window.js';
import { FOOTER_MAGIC } from './footer.js';
import {
  isBodySound,
  namespaceAt,
  parseHeader,
  RECORD_HEADER_BYTES,
  RECORD_MAGIC,
  type RecordHeader,
} from './record-format.js';
import type { SegmentName } from './spool-file.js';

/** Bytes from `start` to before `end`. */
export interface FilePart {
  readonly start: number;
  readonly end: number;
}

/** A record that is not there any more. */
export interface LostRecord {
  readonly index: number;
  /** As its header says; 1, the least, where that is damaged, too. */
  readonly points: number;
}

export interface ScanResult {
  readonly contents: Contents;
  readonly damaged: readonly FilePart[];
  /** What was in the damaged parts, as far as sound headers and ids of the records around them tell. */
  readonly lost: readonly LostRecord[];
}

/**
 * Reads a segment through, record by record. Where bytes are damaged it goes on at the next sound record, so that
 * only what is damaged is lost.
 * @param endId - ids from here on belong to the next segment: what claims one of them was given up by its writer
 */
export async function scanSegment(
  file: FileHandle,
  size: number,
  name: SegmentName,
  endId: number,
): Promise<ScanResult> {
  const scan = new Scan(new FileWindow(file, size), name, endId);
  await scan.run();
  return { contents: scan.contents, damaged: scan.damaged, lost: scan.lost };
}

class Scan {
  readonly contents = new Contents();
  readonly damaged: FilePart[] = [];
  readonly lost: LostRecord[] = [];
  /** Points of records, by their index, whose header is sound and whose body is not. */
  readonly #pointsOfDamaged = new Map<number, number>();
  readonly #window: FileWindow;
  readonly #name: SegmentName;
  readonly #endId: number;

  constructor(window: FileWindow, name: SegmentName, endId: number) {
    this.#window = window;
    this.#name = name;
    this.#endId = endId;
  }

  async run(): Promise<void> {
    await this.#readThrough();
    this.#noteLostBehind();
  }

  async #readThrough(): Promise<void> {
    let position = 0;
    while (position < this.#window.size) {
      const header = await this.#headerAt(position);
      if (header) {
        const end = position + header.recordBytes;
        if (!(await this.#take(position, header))) this.#lose(position, Math.min(end, this.#window.size));
        position = end;
        continue;
      }
      if (await this.#isFooter(position)) return;
      const next = await this.#nextHeader(position + 1);
      this.#lose(position, next);
      position = next;
    }
  }

  async #headerAt(position: number): Promise<RecordHeader | undefined> {
    const bytes = await this.#window.from(position, RECORD_HEADER_BYTES);
    const header = parseHeader(bytes, 0, this.#name.salt);
    return header && this.#isPossible(header.id) ? header : undefined;
  }

  /** Ids ascend, and a file cannot have lost more records than fit into it. */
  #isPossible(id: number): boolean {
    const { firstId } = this.#name;
    const most = Math.min(this.#endId, firstId + this.#window.size / RECORD_HEADER_BYTES);
    return id >= firstId + this.contents.count && id < most;
  }

  async #take(position: number, header: RecordHeader): Promise<boolean> {
    const bytes = await this.#window.from(position, header.recordBytes);
    if (!isBodySound(bytes, 0, header)) {
      // What the end of the file cuts off was being written when its process ended: nobody was told that it is stored.
      const isCutOff = position + header.recordBytes > this.#window.size;
      if (!isCutOff) this.#pointsOfDamaged.set(header.id - this.#name.firstId, header.points);
      return false;
    }
    while (this.#name.firstId + this.contents.count < header.id) {
      this.#noteLost(this.contents.count);
      this.contents.addMissing();
    }
    const namespace = namespaceAt(bytes, 0, header);
    const end = position + header.recordBytes;
    this.contents.add(position, end, header.points, header.storedAt, namespace);
    return true;
  }

  async #isFooter(position: number): Promise<boolean> {
    const bytes = await this.#window.from(position, FOOTER_MAGIC.length);
    return bytes.length >= FOOTER_MAGIC.length && FOOTER_MAGIC.compare(bytes, 0, FOOTER_MAGIC.length) === 0;
  }

  /** Where the next sound header is, or the end of the file. */
  async #nextHeader(from: number): Promise<number> {
    let position = from;
    while (position < this.#window.size) {
      const bytes = await this.#window.from(position, RECORD_HEADER_BYTES);
      const found = bytes.indexOf(RECORD_MAGIC);
      if (found < 0) {
        // A magic may lie across the end of what was looked through.
        position += Math.max(1, bytes.length - RECORD_MAGIC.length + 1);
        continue;
      }
      if (await this.#headerAt(position + found)) return position + found;
      position += found + 1;
    }
    return this.#window.size;
  }

  #noteLost(index: number): void {
    this.lost.push({ index, points: this.#pointsOfDamaged.get(index) ?? 1 });
  }

  /** Behind the last sound record only sound headers tell of others. */
  #noteLostBehind(): void {
    const { count } = this.contents;
    if (this.damaged.at(-1)?.end !== this.#window.size) return;
    for (const index of this.#pointsOfDamaged.keys()) if (index >= count) this.#noteLost(index);
  }

  #lose(start: number, end: number): void {
    const last = this.damaged.at(-1);
    if (last?.end === start) this.damaged[this.damaged.length - 1] = { start: last.start, end };
    else this.damaged.push({ start, end });
  }
}

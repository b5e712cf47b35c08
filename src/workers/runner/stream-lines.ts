import { isUtf8 } from 'node:buffer';
import { reasonOf } from '../../shared/coded-error.js';
import type { PluginFormat } from '../../shared/plugin-format.js';
import { type DocumentSettings, type EncodedMetrics, PointsEncoder } from '../../shared/points-document.js';
import { printable } from '../../shared/printable.js';
import { LINE_END, type TakenLines } from './line-splitter.js';
import { CUT_OFF, type LineFormat, readFindings } from './plugin-output.js';

const CARRIAGE_RETURN = 0x0d;
/** How often it is looked whether the time is up. */
const LINES_BETWEEN_LOOKS = 16;

/** What was made of lines, and those for which there was no time. */
export interface EncodedLines {
  readonly metrics: EncodedMetrics;
  readonly rest: TakenLines | undefined;
}

/** Makes points of the lines that a long-running plugin prints; each line is understood by itself. */
export class StreamLines {
  readonly #format: PluginFormat;
  readonly #settings: DocumentSettings;
  /** Lines so far, for the places of bad ones. */
  #lines = 0;

  constructor(format: PluginFormat, settings: DocumentSettings) {
    this.#format = format;
    this.#settings = settings;
  }

  /**
   * Encodes whole lines, some at least.
   * @param untilMs then it stops, by `performance.now()`
   */
  encode({ bytes, tooLong }: TakenLines, untilMs = Number.POSITIVE_INFINITY): EncodedLines {
    const encoder = new PointsEncoder(this.#settings, Math.floor(Date.now() / 1000));
    const isText = isUtf8(bytes);
    let left = LINES_BETWEEN_LOOKS;
    for (let start = 0; start < bytes.length; left -= 1) {
      if (left === 0) {
        if (performance.now() >= untilMs) {
          return { metrics: encoder.finish(), rest: { bytes: bytes.subarray(start), tooLong } };
        }
        left = LINES_BETWEEN_LOOKS;
      }
      const found = bytes.indexOf(LINE_END, start);
      const end = found === -1 ? bytes.length : found;
      this.#lines += 1;
      const line = bytes.subarray(start, bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end);
      if (isText || isUtf8(line)) this.#encodeLine(line.toString('utf8'), encoder);
      else encoder.refuse(this.#lines, 'is not UTF-8 text');
      start = end + 1;
    }
    for (let line = 0; line < tooLong; line += 1) {
      this.#lines += 1;
      encoder.refuse(this.#lines, 'is too long and was left out');
    }
    return { metrics: encoder.finish(), rest: undefined };
  }

  /**
   * Encodes a last line without end.
   * @param isCutOff its process was ended, perhaps before it had printed the rest
   */
  encodeLast(bytes: Buffer, isCutOff: boolean): EncodedMetrics {
    // A JSON text itself tells whether there is more to come.
    if (!isCutOff || this.#format === 'json') return this.encode({ bytes, tooLong: 0 }).metrics;
    this.#lines += 1;
    const encoder = new PointsEncoder(this.#settings, 0);
    encoder.refuse(this.#lines, CUT_OFF);
    return encoder.finish();
  }

  #encodeLine(line: string, encoder: PointsEncoder): void {
    if (!/\S/.test(line)) return;
    if (this.#format === 'json') this.#encodeJson(line, encoder);
    else this.#encodeFindings(this.#format, line, encoder);
  }

  #encodeJson(line: string, encoder: PointsEncoder): void {
    try {
      // Trimmed: a byte order mark may stand in front.
      const parsed: unknown = JSON.parse(line.trim());
      encoder.addMetrics(Array.isArray(parsed) ? parsed : [parsed], this.#lines);
    } catch (error) {
      encoder.refuse(this.#lines, `is not JSON: ${printable(reasonOf(error))}`);
    }
  }

  #encodeFindings(format: LineFormat, line: string, encoder: PointsEncoder): void {
    for (const { sample, problem } of readFindings(format, line, undefined)) {
      if (problem !== undefined) encoder.refuse(this.#lines, problem);
      else encoder.addSample(this.#lines, sample);
    }
  }
}

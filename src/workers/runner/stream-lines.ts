import { isUtf8 } from 'node:buffer';
import { reasonOf } from '../../shared/coded-error.js';
import type { PluginFormat } from '../../shared/plugin-format.js';
import { type DocumentSettings, type EncodedMetrics, PointsEncoder } from '../../shared/points-document.js';
import { printable } from '../../shared/printable.js';
import { LINE_END } from './line-splitter.js';
import { type LineFormat, readFindings } from './plugin-output.js';

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
   * Encodes whole lines.
   * @param tooLong lines that came behind them and were left out
   */
  encode(bytes: Buffer, tooLong: number): EncodedMetrics {
    const encoder = new PointsEncoder(this.#settings, Math.floor(Date.now() / 1000));
    const isText = isUtf8(bytes);
    for (let start = 0; start < bytes.length; ) {
      const found = bytes.indexOf(LINE_END, start);
      const end = found === -1 ? bytes.length : found;
      this.#lines += 1;
      const line = bytes.subarray(start, end);
      if (isText || isUtf8(line)) this.#encodeLine(line.toString('utf8'), encoder);
      else encoder.refuse(this.#lines, 'is not UTF-8 text');
      start = end + 1;
    }
    for (let line = 0; line < tooLong; line += 1) {
      this.#lines += 1;
      encoder.refuse(this.#lines, 'is too long and was left out');
    }
    return encoder.finish();
  }

  #encodeLine(line: string, encoder: PointsEncoder): void {
    if (!/\S/.test(line)) return;
    if (this.#format === 'json') this.#encodeJson(line, encoder);
    else this.#encodeFindings(this.#format, line, encoder);
  }

  #encodeJson(line: string, encoder: PointsEncoder): void {
    try {
      const parsed: unknown = JSON.parse(line);
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

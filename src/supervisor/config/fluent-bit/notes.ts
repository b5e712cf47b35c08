import { type Place, type PlacedSentence, placedLine } from './section.js';
import { unsetSentence, type Variables } from './variables.js';

/** Collects what there is to say about files while they are read. */
export class Notes {
  readonly #problems: PlacedSentence[] = [];
  readonly #warnings: PlacedSentence[] = [];

  /** Nothing is started with this. */
  problem(place: Place, sentence: string): void {
    this.#problems.push({ place, sentence });
  }

  /** Worth a line in the log. */
  warn(place: Place, sentence: string): void {
    this.#warnings.push({ place, sentence });
  }

  add(problems: readonly PlacedSentence[], warnings: readonly PlacedSentence[]): void {
    this.#problems.push(...problems);
    this.#warnings.push(...warnings);
  }

  /** Fills in variables; those without a value are warned of. */
  expanded(value: string, place: Place, variables: Variables): string {
    const { text, unset } = variables.expand(value);
    for (const name of unset) this.warn(place, unsetSentence(name));
    return text.trim();
  }

  /** A line each, files in the order in which they were read, each by its lines. */
  get problems(): readonly string[] {
    return linesOf(this.#problems);
  }

  get warnings(): readonly string[] {
    return linesOf(this.#warnings);
  }
}

function linesOf(sentences: readonly PlacedSentence[]): readonly string[] {
  const files = [...new Set(sentences.map(({ place }) => place.file))];
  const ordered = sentences.toSorted(
    (left, right) =>
      files.indexOf(left.place.file) - files.indexOf(right.place.file) ||
      (left.place.line ?? 0) - (right.place.line ?? 0),
  );
  return [...new Set(ordered.map(placedLine))];
}

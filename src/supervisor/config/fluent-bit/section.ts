/** Where something stands. */
export interface Place {
  /** As it was named, or absolute. */
  readonly file: string;
  /** Counted from 1; undefined where the file as a whole is meant. */
  readonly line: number | undefined;
}

/** A key and its value, variables not yet filled in. */
export interface Entry {
  readonly key: string;
  readonly value: string;
  readonly place: Place;
}

/** A section: `[OUTPUT]` with the entries below it, or what stands for it in YAML. */
export interface Section {
  /** As it is written. */
  readonly name: string;
  readonly place: Place;
  readonly entries: readonly Entry[];
}

/** A sentence about a place. */
export interface PlacedSentence {
  readonly place: Place;
  readonly sentence: string;
}

/** What stands in one file, in its order. */
export type Item =
  | { readonly kind: 'section'; readonly section: Section }
  | { readonly kind: 'include'; readonly path: string; readonly place: Place }
  | { readonly kind: 'set'; readonly name: string; readonly value: string; readonly place: Place };

/** One file, read by itself. */
export interface FileReading {
  readonly items: readonly Item[];
  readonly problems: readonly PlacedSentence[];
  readonly warnings: readonly PlacedSentence[];
}

/** `file:line: sentence`, for a message. */
export function placedLine({ place, sentence }: PlacedSentence): string {
  return `${placeText(place)}: ${sentence}`;
}

/** `file:line`, for a message. */
export function placeText({ file, line }: Place): string {
  return line === undefined ? file : `${file}:${line}`;
}

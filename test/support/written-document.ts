/** A point as it stands in a document. */
export interface WrittenPoint {
  readonly measurement: string;
  readonly timestamp: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A points document as it arrives at an output. */
export interface WrittenDocument {
  readonly database: string;
  readonly retentionPolicy: string;
  readonly precision: string;
  readonly points: readonly WrittenPoint[];
}

/** A record's row: where it starts, its points, when it was stored (seconds), the number of its namespace. */
const ROW = 4;
const COLUMN = { offset: 0, points: 1, seconds: 2, namespace: 3 } as const;

/** Stands for the offset of a record that is lost. */
const MISSING = 0xffff_ffff;

/** Points and records of one namespace. */
export interface NamespaceCount {
  records: number;
  points: number;
}

/**
 * The table of contents of a segment: what stands where, without the documents. The records are numbered from 0;
 * one that was lost to damage keeps its number.
 */
export class Contents {
  #rows: Uint32Array;
  #count: number;
  readonly #namespaces: string[];
  readonly #numbers: Map<string, number>;
  #namespaceCharacters = 0;
  /** Behind the last record, in bytes from the start of the segment. */
  dataEnd = 0;
  /** Of all records that are not missing. */
  points = 0;

  constructor(rows: Uint32Array = new Uint32Array(16 * ROW), count = 0, namespaces: string[] = []) {
    this.#rows = rows;
    this.#count = count;
    this.#namespaces = namespaces;
    this.#numbers = new Map(namespaces.map((namespace, number) => [namespace, number]));
    for (const namespace of namespaces) this.#namespaceCharacters += namespace.length;
    for (let index = 0; index < count; index += 1) this.points += this.pointsOf(index);
  }

  get count(): number {
    return this.#count;
  }

  get namespaces(): readonly string[] {
    return this.#namespaces;
  }

  /** Characters of all namespaces' names. */
  get namespaceCharacters(): number {
    return this.#namespaceCharacters;
  }

  /** The rows as they go to disk. */
  rows(): Uint8Array {
    return new Uint8Array(this.#rows.buffer, this.#rows.byteOffset, this.#count * ROW * 4);
  }

  add(offset: number, end: number, points: number, storedAt: number, namespace: string): void {
    this.#addRow(offset, points, Math.floor(storedAt / 1000), this.#numberOf(namespace));
    this.points += points;
    this.dataEnd = end;
  }

  addMissing(): void {
    this.#addRow(MISSING, 0, 0, 0);
  }

  isMissing(index: number): boolean {
    return this.#value(index, COLUMN.offset) === MISSING;
  }

  offsetOf(index: number): number {
    return this.#value(index, COLUMN.offset);
  }

  /** Where a record ends at the latest: exactly, unless what follows is damaged. */
  endOf(index: number): number {
    for (let next = index + 1; next < this.#count; next += 1) {
      if (!this.isMissing(next)) return this.offsetOf(next);
    }
    return this.dataEnd;
  }

  pointsOf(index: number): number {
    return this.#value(index, COLUMN.points);
  }

  storedAtOf(index: number): number {
    return this.#value(index, COLUMN.seconds) * 1000;
  }

  namespaceOf(index: number): string {
    return this.#namespaces[this.#value(index, COLUMN.namespace)] ?? '';
  }

  #value(index: number, column: number): number {
    return this.#rows[index * ROW + column] ?? 0;
  }

  #addRow(offset: number, points: number, seconds: number, namespace: number): void {
    const start = this.#count * ROW;
    if (start === this.#rows.length) this.#grow();
    this.#rows.set([offset, points, seconds, namespace], start);
    this.#count += 1;
  }

  #grow(): void {
    const larger = new Uint32Array(Math.max(this.#rows.length * 2, 16 * ROW));
    larger.set(this.#rows);
    this.#rows = larger;
  }

  #numberOf(namespace: string): number {
    const known = this.#numbers.get(namespace);
    if (known !== undefined) return known;
    const number = this.#namespaces.push(namespace) - 1;
    this.#numbers.set(namespace, number);
    this.#namespaceCharacters += namespace.length;
    return number;
  }
}

/** Sums up the records of `indices` by namespace. */
export function countByNamespace(
  contents: Contents,
  indices: Iterable<number>,
): ReadonlyMap<string, NamespaceCount> {
  const counts = new Map<string, NamespaceCount>();
  for (const index of indices) {
    const namespace = contents.namespaceOf(index);
    const count = counts.get(namespace) ?? { records: 0, points: 0 };
    counts.set(namespace, count);
    count.records += 1;
    count.points += contents.pointsOf(index);
  }
  return counts;
}

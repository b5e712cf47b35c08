/** What the clients know of the numbered points that they have posted. Numbers begin with 1. */
export class NumberLedger {
  readonly namespaces: readonly string[];
  /** By number: index of the namespace. */
  #namespaceOf = new Uint8Array(1 << 16);
  /** By number: 1 when its post was answered with 200. */
  #accepted = new Uint8Array(1 << 16);
  #posted = 0;
  #acceptedCount = 0;

  constructor(namespaces: readonly string[]) {
    this.namespaces = namespaces;
  }

  get posted(): number {
    return this.#posted;
  }

  get accepted(): number {
    return this.#acceptedCount;
  }

  /** Gives out numbers that nobody has; the answer is the first of them. */
  take(count: number, namespace: string): number {
    const first = this.#posted + 1;
    this.#posted += count;
    while (this.#accepted.length <= this.#posted) {
      this.#namespaceOf = doubled(this.#namespaceOf);
      this.#accepted = doubled(this.#accepted);
    }
    this.#namespaceOf.fill(this.namespaces.indexOf(namespace), first, first + count);
    return first;
  }

  accept(first: number, count: number): void {
    this.#accepted.fill(1, first, first + count);
    this.#acceptedCount += count;
  }

  isAccepted(number: number): boolean {
    return this.#accepted[number] === 1;
  }

  /** True when the number was posted, to this namespace. */
  belongsTo(number: number, namespace: string): boolean {
    if (!Number.isInteger(number) || number < 1 || number > this.#posted) return false;
    return this.namespaces[this.#namespaceOf[number] ?? -1] === namespace;
  }
}

function doubled(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}

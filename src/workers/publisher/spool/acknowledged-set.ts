/** Which records of a segment are settled: a bit for each, and no memory at all before the first one is. */
export class AcknowledgedSet {
  #bits = new Uint8Array(0);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(index: number): boolean {
    return ((this.#bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  /** False when it is in already. */
  add(index: number): boolean {
    if (this.has(index)) return false;
    const place = index >> 3;
    if (place >= this.#bits.length) this.#grow(place + 1);
    this.#bits[place] = (this.#bits[place] ?? 0) | (1 << (index & 7));
    this.#size += 1;
    return true;
  }

  /** The first index from `from` on, below `end`, that is not in; `end` when all are. */
  firstOutside(from: number, end: number): number {
    let index = from;
    while (index < end) {
      // Eight at a time where all eight are in.
      if ((index & 7) === 0 && this.#bits[index >> 3] === 0xff) index += 8;
      else if (this.has(index)) index += 1;
      else return index;
    }
    return end;
  }

  #grow(bytes: number): void {
    const larger = new Uint8Array(Math.max(bytes, this.#bits.length * 2, 64));
    larger.set(this.#bits);
    this.#bits = larger;
  }
}

const BYTES_MAX = 4 * 1024 * 1024;

/** However slow a server is, requests do not become smaller than this for that. */
const SLOW_BYTES_MIN = 64 * 1024;

/**
 * How much text goes into a request. Learns from the server: what it calls too large is not tried again, and where it
 * does not get to an answer the next requests are smaller, as a server may close the connection instead of answering,
 * and a slow line may not carry more in time.
 */
export class RequestSize {
  #bytesMax = BYTES_MAX;
  #limit = BYTES_MAX;

  /** In bytes; one point is sent whatever its length. */
  get limit(): number {
    return this.#limit;
  }

  wasTooLarge(bytes: number): void {
    this.#bytesMax = Math.min(this.#bytesMax, Math.max(1, Math.floor(bytes / 2)));
    this.#limit = Math.min(this.#limit, this.#bytesMax);
  }

  hadNoAnswer(bytes: number): void {
    const smaller = Math.max(SLOW_BYTES_MIN, Math.floor(bytes / 2));
    this.#limit = Math.min(this.#limit, smaller, this.#bytesMax);
  }

  wasTaken(): void {
    this.#limit = Math.min(this.#limit * 2, this.#bytesMax);
  }
}

import type { TestContext } from 'node:test';

/** What must be undone at the end, for parts that expect a test's `after`; done in the reverse order. */
export class CleanUp {
  readonly #steps: (() => unknown)[] = [];
  #running: Promise<void> | undefined;

  /** As `after` of a test, whose options mean nothing here. */
  readonly after: TestContext['after'] = (step) => {
    if (step) this.#steps.push(step as () => unknown);
  };

  /** Does every step, also when some fail; throws the first failure then. Whoever calls it meanwhile waits for it, too. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step();
      } catch (thrown) {
        failures.push(thrown);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { httpRequest } from '../support/http-request.js';
import { pseudoRandom } from '../support/ring-traffic.js';
import { NUMBERED } from './arrivals.js';
import type { NumberLedger } from './number-ledger.js';
import type { Schedule } from './schedule.js';

/** Metrics of a post; small ones are more frequent. */
const SIZES = [1, 1, 1, 1, 40, 40, 40, 1000, 1000, 5000];

/** After a post that did not reach the agent. */
const AWAY_PAUSE_MS = 50;

/** A post that is not answered for so long is not answered at all: the test fails. */
const ANSWER_GIVE_UP_MS = 180_000;

/** What posts were answered with: how often each status, and how often the connection was lost. */
export type Answers = ReadonlyMap<number | 'none', number>;

/** Programs that post numbered points over the unix socket of an agent, whatever becomes of it. */
export class PostClients {
  readonly #ledger: NumberLedger;
  readonly #socketPath: string;
  readonly #pauseMs: number;
  readonly #answers = new Map<number | 'none', number>();
  readonly #clients: readonly Promise<void>[];
  #isStopping = false;

  constructor(ledger: NumberLedger, socketPath: string, schedule: Schedule) {
    this.#ledger = ledger;
    this.#socketPath = socketPath;
    this.#pauseMs = schedule.clientPauseMs;
    this.#clients = Array.from({ length: schedule.clients }, (_, place) =>
      this.#run(pseudoRandom(schedule.seed * 31 + place)),
    );
    // Looked at in `stop`.
    for (const client of this.#clients) client.catch(() => undefined);
  }

  get answers(): Answers {
    return this.#answers;
  }

  /** Resolves when every post has been answered. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#clients);
  }

  async #run(random: () => number): Promise<void> {
    const { namespaces } = this.#ledger;
    while (!this.#isStopping) {
      const namespace = namespaces[Math.floor(random() * namespaces.length)] ?? '';
      const count = SIZES[Math.floor(random() * SIZES.length)] ?? 1;
      const status = await this.#post(namespace, count);
      await sleep(status === 'none' ? AWAY_PAUSE_MS : random() * this.#pauseMs);
    }
  }

  /** Without an answer nobody knows what became of the points. */
  async #post(namespace: string, count: number): Promise<number | 'none'> {
    const first = this.#ledger.take(count, namespace);
    const metrics = Array.from({ length: count }, (_, n) => ({ name: NUMBERED, value: first + n }));
    const request = httpRequest(this.#socketPath, `/post?ns=${namespace}`, {
      method: 'POST',
      body: JSON.stringify(metrics),
    });
    const status = await answeredWithin(
      request.then(
        (answer) => answer.status,
        () => 'none' as const,
      ),
    );
    if (status === 200) this.#ledger.accept(first, count);
    this.#answers.set(status, (this.#answers.get(status) ?? 0) + 1);
    return status;
  }
}

async function answeredWithin<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const givenUp = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`a post got no answer within ${ANSWER_GIVE_UP_MS / 1000} s`)),
      ANSWER_GIVE_UP_MS,
    );
  });
  return Promise.race([answer, givenUp]).finally(() => clearTimeout(timer));
}

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AgentProcess, type RegistryItem } from '../support/agent-process.js';
import { waitUntil } from '../support/wait-until.js';

export interface EventLoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** A whole agent with its event loop watched. */
export class BenchAgent {
  readonly #agent: AgentProcess;
  readonly #probeFolder: string;
  readonly #afterwards: readonly (() => unknown)[];

  private constructor(agent: AgentProcess, probeFolder: string, afterwards: readonly (() => unknown)[]) {
    this.#agent = agent;
    this.#probeFolder = probeFolder;
    this.#afterwards = afterwards;
  }

  /**
   * Starts an agent that delivers to `nsqd` and has the given plugins; resolves when it answers.
   * @param options `isWatched` false: its event loop is not watched, which costs an idle agent more than all else;
   * `spool`: lines of that table
   */
  static async start(
    nsqd: string,
    items: readonly RegistryItem[],
    { isWatched = true, spool = '' }: { readonly isWatched?: boolean; readonly spool?: string } = {},
  ): Promise<BenchAgent> {
    const probeFolder = mkdtempSync(join(tmpdir(), 'agent-bench-'));
    const afterwards: (() => unknown)[] = [];
    const agent = await AgentProcess.start(
      { after: (release: () => unknown) => void afterwards.push(release) },
      {
        registry: { 'bench.local': items },
        output: `servers = ["${nsqd}"]`,
        spool,
        environment: {
          ...(isWatched && {
            NODE_OPTIONS: `--import=${fileURLToPath(new URL('event-loop-probe.js', import.meta.url))}`,
            BENCH_PROBE_FILE: join(probeFolder, 'event-loop.json'),
          }),
          AGENT_LOG_LOGLEVEL: 'ERROR',
        },
      },
    );
    return new BenchAgent(agent, probeFolder, afterwards);
  }

  get pid(): number {
    return this.#agent.pid;
  }

  get port(): number {
    return this.#agent.port;
  }

  async call(path: string): Promise<Record<string, unknown>> {
    return (await this.#agent.call(path)).body;
  }

  /** Posts metrics; an answer other than 200 is an error. */
  async post(namespace: string, metrics: string): Promise<void> {
    const { status } = await this.#agent.call(`/post?ns=${namespace}`, metrics);
    if (status !== 200) throw new Error(`a post was answered with ${status}`);
  }

  /** Delays of the main thread's event loop since the last call, in ms. */
  async eventLoopDelay(): Promise<EventLoopDelay> {
    const file = join(this.#probeFolder, 'event-loop.json');
    rmSync(file, { force: true });
    process.kill(this.pid, 'SIGWINCH');
    await waitUntil('the probe has written', () => existsSync(file));
    return JSON.parse(readFileSync(file, 'utf8'));
  }

  async stop(): Promise<void> {
    await this.#agent.kill('SIGTERM');
    for (const release of this.#afterwards) await release();
    rmSync(this.#probeFolder, { recursive: true, force: true });
  }
}

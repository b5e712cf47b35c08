import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AgentOptions, AgentProcess } from '../support/agent-process.js';
import type { ListedOutput } from '../support/answer-body.js';
import type { CleanUp } from '../support/clean-up.js';
import type { SmallDisk } from '../support/small-disk.js';
import type { EndOfAgent, StampPlugins } from './stamp-plugins.js';

export interface MortalAgentOptions {
  readonly cleanUp: CleanUp;
  readonly options: AgentOptions;
  readonly plugins: StampPlugins;
  /** Of the spool. */
  readonly disk: SmallDisk | undefined;
}

/** Lines of the log about losses and failures of the agent itself. */
const BAD_LINE = /failed:|lost|dropped|set aside|FATAL|uncaught|TypeError|RangeError|"level":60/;

/** What a stop says of points that it could neither deliver nor put on disk. */
const LOSS_AT_STOP = /that could not be delivered within \d+ s/;

/** An agent that ends and starts again on the same folder. */
export class MortalAgent {
  readonly #options: MortalAgentOptions;
  #process: AgentProcess;
  #end: EndOfAgent | undefined;
  #lossesAtStop = 0;

  private constructor(options: MortalAgentOptions, process: AgentProcess) {
    this.#options = options;
    this.#process = process;
  }

  static async start(options: MortalAgentOptions): Promise<MortalAgent> {
    return new MortalAgent(options, await AgentProcess.start(options.cleanUp, options.options));
  }

  /** The same in every life. */
  get socketPath(): string {
    return this.#process.socketPath;
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#options.plugins.noteEndBegins();
    await this.#process.kill('SIGKILL');
    this.#end = 'killed';
  }

  /**
   * As an operator does it.
   * @throws when it fails, or loses something while the disk has room
   */
  async stop(): Promise<void> {
    const { plugins, disk } = this.#options;
    const { isTight, fillings } = disk ?? { isTight: false, fillings: 0 };
    plugins.noteEndBegins();
    const code = await this.#process.kill('SIGTERM');
    if (code !== 0) throw new Error(`the agent was stopped and ended with ${code}: ${this.#process.stderr}`);
    const losses = this.#logLines()
      .filter((line) => LOSS_AT_STOP.test(line))
      .slice(this.#lossesAtStop);
    this.#lossesAtStop += losses.length;
    this.#end = losses.length > 0 ? 'lossy' : 'stopped';
    const mayLose = isTight || disk?.isTight === true || disk?.fillings !== fillings;
    if (losses.length > 0 && !(disk && mayLose)) throw new Error(`lost at a stop: ${losses.join('\n')}`);
  }

  /** Only after `kill` or `stop`. */
  async startAgain(): Promise<void> {
    const { cleanUp, options } = this.#options;
    this.#process = await AgentProcess.start(cleanUp, { ...options, folder: this.#process.folder });
    this.noteEnded();
  }

  /** Call after the last end; otherwise a start does it, when stragglers of the plugins had time to end. */
  noteEnded(): void {
    if (this.#end) this.#options.plugins.noteEnded(this.#end);
    this.#end = undefined;
  }

  async outputStatus(): Promise<ListedOutput> {
    return this.#process.outputStatus();
  }

  /** What its log says of losses and failures of its own. */
  badLines(): readonly string[] {
    return this.#logLines().filter((line) => BAD_LINE.test(line));
  }

  #logLines(): readonly string[] {
    const folder = join(this.#process.folder, 'log');
    return readdirSync(folder).flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'));
  }
}

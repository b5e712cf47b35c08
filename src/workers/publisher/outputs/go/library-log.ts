import { counted } from '../../../../shared/counted.js';
import type { Log, LogLevel } from '../../../../shared/log.js';
import type { GoOutputSettings } from '../../../../shared/output-settings.js';
import type { HostClient } from './host-client.js';

const LEVELS: readonly GoOutputSettings['logLevel'][] = ['off', 'error', 'warn', 'info', 'debug'];

/** The log as far as a library is concerned: what is said of it, and what it prints itself. */
export class LibraryLog {
  /** As it registers itself, once that is known. */
  pluginName: string | undefined;
  readonly #library: string;
  readonly #log: Log;
  readonly #clients: () => readonly HostClient[];

  /** @param clients the instances of the library */
  constructor(library: string, log: Log, clients: () => readonly HostClient[]) {
    this.#library = library;
    this.#log = log;
    this.#clients = clients;
  }

  /** A sentence about the library, behind its name. */
  say(level: LogLevel, sentence: string, fields: object = {}): void {
    const aliases = this.#aliases.join(', ');
    this.#log[level](
      { library: this.#library, ...fields },
      `output plugin ${this.#library} (${aliases}): ${sentence}`,
    );
  }

  /** A line that the library printed. */
  sayLine(stream: 'stdout' | 'stderr', line: string): void {
    if (!this.#isSaid('info')) return;
    const plugin = this.#name;
    this.#log.info({ plugin, stream, outputs: this.#aliases }, `${plugin}: ${line}`);
  }

  /** It printed more than the log takes. */
  saySkipped(stream: 'stdout' | 'stderr', lines: number): void {
    if (!this.#isSaid('warn')) return;
    const plugin = this.#name;
    this.#log.warn(
      { plugin, stream, lines },
      `${plugin}: ${counted(lines, 'more line was', 'more lines were')} left out here, on ${stream}`,
    );
  }

  get #name(): string {
    return this.pluginName ?? this.#library;
  }

  get #aliases(): readonly string[] {
    return this.#clients().map(({ alias }) => alias);
  }

  /** What a library prints is that of all its instances: the one that wants to hear most decides. */
  #isSaid(level: GoOutputSettings['logLevel']): boolean {
    return this.#clients().some(({ settings }) => LEVELS.indexOf(settings.logLevel) >= LEVELS.indexOf(level));
  }
}

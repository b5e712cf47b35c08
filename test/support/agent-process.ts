import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Body, ListedOutput } from './answer-body.js';
import { removeCgroupsNamedIn } from './cgroup.js';
import { type HttpAnswer, httpRequest } from './http-request.js';
import { PROJECT_ROOT } from './project-root.js';
import { removeFolder } from './temporary-folder.js';
import { waitUntil } from './wait-until.js';
import type { WrittenDocument } from './written-document.js';

/** An item as the registry sends it. */
export type RegistryItem = Readonly<Record<string, string>>;

export interface AgentOptions {
  /** Namespace → items, written as a `file:` registry; default: none. */
  readonly registry?: Readonly<Record<string, readonly RegistryItem[]>>;
  /** In place of the `file:` registry. */
  readonly registryAddress?: string;
  /** Lines of the tables, beside what the test's own folders need. */
  readonly agent?: string;
  readonly output?: string;
  readonly spool?: string;
  readonly http?: string;
  readonly runner?: string;
  /** Default: nothing of the host is measured. */
  readonly host?: string;
  /** Whole tables `[[outputs]]`, with their lines. */
  readonly outputs?: string;
  readonly environment?: NodeJS.ProcessEnv;
  /** Further words behind `start -f FILE`. */
  readonly words?: readonly string[];
  /** A descriptor in place of the pipe whose content is in `stdout`. */
  readonly stdout?: number;
  /** The folder of an agent that has ended, to start another one on what it left. */
  readonly folder?: string;
}

/** An answer of a path, which may have a query. */
export interface Answer<Path extends string = string> {
  readonly status: number;
  readonly headers: HttpAnswer['headers'];
  readonly body: Body<Path>;
}

/** A whole agent, started by its launcher as an operator would, in a folder of its own. */
export class AgentProcess {
  readonly folder: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | null>;
  #stdout = '';
  #parsedUpTo = 0;
  readonly #documents: WrittenDocument[] = [];
  #stderr = '';

  private constructor(folder: string, process: ChildProcess) {
    this.folder = folder;
    this.#process = process;
    this.#ended = new Promise((resolve) => process.once('close', (code) => resolve(code)));
    process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
  }

  /** Resolves when the agent answers; it is ended after the test. */
  static async start(test: Pick<TestContext, 'after'>, options: AgentOptions = {}): Promise<AgentProcess> {
    const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'agent-test-'));
    chmodSync(folder, 0o755);
    if (options.registry || !options.registryAddress) writeRegistry(folder, options.registry ?? {});
    writeFileSync(join(folder, 'agent.toml'), configText(folder, options));
    const agent = new AgentProcess(
      folder,
      spawn(
        join(PROJECT_ROOT, 'agent'),
        ['start', '-f', join(folder, 'agent.toml'), ...(options.words ?? [])],
        {
          stdio: ['ignore', options.stdout ?? 'pipe', 'pipe'],
          env: { ...process.env, ...options.environment },
        },
      ),
    );
    test.after(async () => {
      await agent.kill('SIGKILL');
      await removeCgroupsNamedIn(agent.stderr);
      await removeFolder(folder);
    });
    await waitUntil('the agent answers', () => agent.#isUp());
    return agent;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** What it has written so far. */
  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get socketPath(): string {
    return join(this.folder, 'run', 'agent.sock');
  }

  /** Port of its TCP address, which the kernel chose. */
  get port(): number {
    const record = readFileSync(join(this.folder, 'run', 'agent.json'), 'utf8');
    return Number(/127\.0\.0\.1:(\d+)/.exec(record)?.[1]);
  }

  /** The points documents that it wrote to stdout. */
  documents(): readonly WrittenDocument[] {
    const end = this.#stdout.lastIndexOf('\n') + 1;
    const lines = this.#stdout.slice(this.#parsedUpTo, end).split('\n');
    this.#parsedUpTo = end;
    for (const line of lines) if (line !== '') this.#documents.push(JSON.parse(line));
    return this.#documents;
  }

  /** Asks a path over the unix socket; with a body it is a POST. */
  async call<Path extends string>(path: Path, body?: string | Buffer): Promise<Answer<Path>> {
    const method = body === undefined ? 'GET' : 'POST';
    const { status, headers, text } = await httpRequest(this.socketPath, path, {
      method,
      ...(body !== undefined && { body }),
    });
    return { status, headers, body: JSON.parse(text) };
  }

  /**
   * What `/me/status` says of the output of that alias; of the first when none is named. A busy publisher may leave a
   * question unanswered, and the outputs stand not in the status then: it is asked again.
   */
  async outputStatus(alias?: string): Promise<ListedOutput> {
    const outputs = await waitUntil(
      'the publisher answers',
      async (): Promise<readonly ListedOutput[] | undefined> => (await this.call('/me/status')).body.outputs,
    );
    const found = outputs.find(({ output }) => alias === undefined || output === alias);
    if (!found) throw new Error(`no output ${alias} in ${JSON.stringify(outputs)}`);
    return found;
  }

  /** Writes another registry document in place of the one before. */
  changeRegistry(registry: Readonly<Record<string, readonly RegistryItem[]>>): void {
    writeRegistry(this.folder, registry);
  }

  /** Sends a signal and waits for the end; the answer is the exit code. */
  async kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.#process.kill(signal);
    return this.#ended;
  }

  async #isUp(): Promise<boolean> {
    if (this.#process.exitCode !== null) throw new Error(`the agent has ended: ${this.#stderr}`);
    if (!existsSync(this.socketPath)) return false;
    return this.call('/me/ns').then(
      () => Number.isInteger(this.port),
      () => false,
    );
  }
}

function writeRegistry(folder: string, registry: Readonly<Record<string, readonly RegistryItem[]>>): void {
  writeFileSync(join(folder, 'registry.json'), JSON.stringify(registry, null, 2));
}

function configText(folder: string, options: AgentOptions): string {
  const isRoot = process.getuid?.() === 0;
  return `[agent]
listen = "127.0.0.1:0"
registryaddr = "${options.registryAddress ?? `file:${folder}/registry.json`}"
pluginsdir = "${folder}/plugins"
pluginsuser = "${isRoot ? 'nobody' : ''}"
rundir = "${folder}/run"
statedir = "${folder}/state"
${options.agent ?? ''}
[output]
${options.output ?? 'name = "stdout"'}
[spool]
${options.spool ?? ''}
[log]
logdir = "${folder}/log"
[http]
${options.http ?? ''}
[runner]
${options.runner ?? ''}
[host]
${options.host ?? 'collect = []'}
${options.outputs ?? ''}
`;
}

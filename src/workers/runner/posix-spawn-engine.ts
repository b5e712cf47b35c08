import { codeOf, reasonOf } from '../../shared/coded-error.js';
import type { PluginUser } from '../../shared/messages.js';
import type { CLibrary } from '../../shared/native/c-library.js';
import { closeDescriptor, openPipe, type Pipe } from '../../shared/native/descriptors.js';
import { Spawner } from '../../shared/native/spawn.js';
import { ThreadIdentity } from '../../shared/native/thread-identity.js';
import { ChildWatch } from './child-watch.js';
import { PlainProcess } from './owned-process.js';
import { startProblem } from './start-problem.js';
import type { ProcessEngine, ProcessRequest, ProcessStart, Program } from './started-process.js';
import { WatchedProcess } from './watched-process.js';

/**
 * Starts processes with `posix_spawn`: Node's own way forks, which copies the page tables of the whole agent and takes
 * longer the more memory that has.
 */
export class PosixSpawnEngine implements ProcessEngine {
  readonly name = 'posix_spawn';
  readonly #library: CLibrary;
  readonly #spawner: Spawner;
  readonly #identity: ThreadIdentity;
  readonly #watch: ChildWatch;
  readonly #rightsLost: (reason: string) => never;

  /** @param rightsLost ends the thread, when it could not become itself again after it started something */
  constructor(library: CLibrary, rightsLost: (reason: string) => never) {
    this.#library = library;
    this.#rightsLost = rightsLost;
    this.#spawner = new Spawner(library);
    this.#identity = new ThreadIdentity(library);
    this.#watch = new ChildWatch(library);
  }

  async start(request: ProcessRequest): Promise<ProcessStart> {
    const pipes: Pipe[] = [];
    try {
      const stdout = openPipe(this.#library);
      pipes.push(stdout);
      const stderr = openPipe(this.#library);
      pipes.push(stderr);
      const startedAt = performance.now();
      const pid = this.#spawn(request.program, stdout, stderr);
      request.launched?.(pid);
      const child = this.#watch.add(new PlainProcess(this.#library, pid), [stdout.readEnd, stderr.readEnd]);
      // Last, as the kernel allows it only when the process has wholly become its user's, a moment after the start.
      request.bounds?.apply(pid);
      return { type: 'started', process: new WatchedProcess(child, request, startedAt) };
    } catch (error) {
      if (codeOf(error) === 'rights-lost') this.#rightsLost(reasonOf(error));
      for (const { readEnd } of pipes) closeDescriptor(this.#library, readEnd);
      return { type: 'failed', ...startProblem(error, request.program) };
    } finally {
      for (const { writeEnd } of pipes) closeDescriptor(this.#library, writeEnd);
    }
  }

  #spawn({ file, args, folder, environment, user }: Program, stdout: Pipe, stderr: Pipe): number {
    const request = {
      file,
      args: [file, ...args],
      folder,
      environment: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      stdout: stdout.writeEnd,
      stderr: stderr.writeEnd,
    };
    if (user === undefined) return this.#spawner.spawn(request);
    return this.#identity.as(identityOf(user), () => this.#spawner.spawn(request));
  }
}

function identityOf({ uid, gid, groups }: PluginUser) {
  return { uid, gid, groups };
}

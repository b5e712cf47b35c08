import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../../shared/coded-error.js';
import type { CLibrary } from '../../shared/native/c-library.js';
import { ChildWatch } from './child-watch.js';
import type { OwnersOf } from './file-owners.js';
import { KILLED_AT_BIRTH, Launcher } from './launcher/launcher.js';
import { startProblem } from './start-problem.js';
import type { ProcessEngine, ProcessRequest, ProcessStart } from './started-process.js';
import { WatchedProcess } from './watched-process.js';

/**
 * Who was writing a program when another process began to start has it open there, too, until that has begun: it is only
 * busy for a moment.
 */
const BUSY_TRIES = 10;
const BUSY_WAIT_MS = 20;

/**
 * Starts processes with our own launcher: as cheap as `posix_spawn`, and a process is within its bounds and of its user
 * before its program begins.
 */
export class LauncherEngine implements ProcessEngine {
  readonly name = 'launcher';
  readonly #library: CLibrary;
  readonly #launcher: Launcher;
  readonly #watch: ChildWatch;

  /** @throws CodedError when the launcher is not there, or cannot be loaded */
  constructor(library: CLibrary, launcher = new Launcher(library)) {
    this.#library = library;
    this.#launcher = launcher;
    this.#watch = new ChildWatch(library);
  }

  readonly owners: OwnersOf = (paths, notFollowed) => this.#launcher.owners(paths, notFollowed);

  async start(request: ProcessRequest, attempt = 1): Promise<ProcessStart> {
    const startedAt = performance.now();
    const { isOldWay } = this.#launcher;
    try {
      const { process, stdout, stderr } = this.#launcher.launch(request.program);
      this.#library.ledger?.opened(stdout);
      this.#library.ledger?.opened(stderr);
      request.launched?.(process.pid);
      const child = this.#watch.add(process, [stdout, stderr]);
      const { failure, cgroupError, limitsError } = await child.begun();
      if (failure !== undefined) {
        child.closeOutputs();
        // The kernel may do that to whatever is born in its cgroup: to several that are starting, of which one is the first.
        if (codeOf(failure) !== KILLED_AT_BIRTH || isOldWay) throw failure;
        this.#launcher.takeOldWay();
        return await this.start(request);
      }
      if (cgroupError !== undefined) request.bounds?.failed('cgroup', cgroupError);
      if (limitsError !== undefined) request.bounds?.failed('limits', limitsError);
      return { type: 'started', process: new WatchedProcess(child, request, startedAt) };
    } catch (error) {
      if (codeOf(error) === 'ETXTBSY' && attempt < BUSY_TRIES) {
        await sleep(BUSY_WAIT_MS);
        return this.start(request, attempt + 1);
      }
      return { type: 'failed', ...startProblem(error, request.program) };
    }
  }
}

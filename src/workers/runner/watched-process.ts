import type { OutputListener, ProcessExit, ProcessRequest, StartedProcess } from './started-process.js';
import { endStrays, realFolder } from './stray-processes.js';
import type { WatchedChild } from './watched-child.js';

/** A child that is looked after, as what was asked for. */
export class WatchedProcess implements StartedProcess {
  readonly pid: number;
  readonly startedAt: number;
  readonly #child: WatchedChild;
  readonly #request: ProcessRequest;

  constructor(child: WatchedChild, request: ProcessRequest, startedAt: number) {
    this.#child = child;
    this.#request = request;
    this.pid = child.pid;
    this.startedAt = startedAt;
  }

  get exit(): ProcessExit | undefined {
    return this.#child.exit;
  }

  get exited(): Promise<ProcessExit> {
    return this.#child.exited;
  }

  get areOutputsOver(): boolean {
    return this.#child.areOutputsOver;
  }

  get outputsEnded(): Promise<void> {
    return this.#child.outputsEnded;
  }

  listen(listener: OutputListener): void {
    this.#child.listen(listener);
  }

  pauseStdout(): void {
    this.#child.pauseStdout();
  }

  resumeStdout(): void {
    this.#child.resumeStdout();
  }

  closeStdout(): void {
    this.#child.closeStdout();
  }

  closeOutputs(): void {
    this.#child.closeOutputs();
  }

  killGroup(signal: NodeJS.Signals): void {
    this.#child.killGroup(signal);
    if (signal === 'SIGKILL') this.#request.bounds?.kill();
  }

  endStrays(): Promise<readonly number[]> {
    const { folder, environment, user } = this.#request.program;
    return endStrays({
      outputs: this.#child.outputNames(),
      folder: realFolder(folder),
      environment,
      uid: user?.uid ?? process.getuid?.() ?? 0,
    });
  }
}

/** Bounds of the back-off between two processes, or two tries to initialise an instance, in milliseconds. */
export interface RestartPauses {
  readonly crashBaseMs: number;
  readonly crashCapMs: number;
  /** What cannot be loaded or initialised is tried again at leisure: somebody has to do something about it. */
  readonly failureBaseMs: number;
  readonly failureCapMs: number;
}

/** Those of an agent. */
export const RESTART_PAUSES: RestartPauses = {
  crashBaseMs: 200,
  crashCapMs: 30_000,
  failureBaseMs: 1000,
  failureCapMs: 300_000,
};

/** Why the agent is to end. */
export type StopRequest =
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'error'; readonly error: unknown };

/** Watches for what ends the agent: signals, and errors that nobody caught. */
export interface StopWatch {
  /** Resolves with the first request. */
  readonly asked: Promise<StopRequest>;
  close(): void;
}

/** `make` and `timeout` pass a signal on that the agent got from the terminal already: that is no second request. */
const SAME_REQUEST_MS = 1_000;

/**
 * @param signals those that ask for a graceful end
 * @param onSecond called for every signal after the first, and every error
 * @param now milliseconds of a clock that only goes forward
 */
export function watchForStop(
  signals: readonly NodeJS.Signals[],
  onSecond: (request: StopRequest) => void,
  now: () => number = () => performance.now(),
): StopWatch {
  let firstAt: number | undefined;
  let answer: (request: StopRequest) => void = () => {};
  const asked = new Promise<StopRequest>((resolve) => {
    answer = resolve;
  });
  const ask = (request: StopRequest) => {
    if (firstAt === undefined) {
      firstAt = now();
      answer(request);
    } else if (request.kind === 'error' || now() - firstAt > SAME_REQUEST_MS) {
      onSecond(request);
    }
  };
  const onSignal = (signal: NodeJS.Signals) => ask({ kind: 'signal', signal });
  const onError = (error: unknown) => ask({ kind: 'error', error });
  for (const signal of signals) process.on(signal, onSignal);
  // Takes rejections that nobody handles too: without a handler of their own Node turns them into such errors.
  process.on('uncaughtException', onError);
  return {
    asked,
    close: () => {
      for (const signal of signals) process.off(signal, onSignal);
      process.off('uncaughtException', onError);
    },
  };
}

import type { ProcessRequest, StartedProcess } from './started-process.js';
import { endStrays, realFolder } from './stray-processes.js';
import type { WatchedChild } from './watched-child.js';

/** A child that is looked after, in the shape that all engines give. @param startedAt before its program began */
export function watchedProcess(
  child: WatchedChild,
  { folder, environment, user }: ProcessRequest,
  startedAt: number,
): StartedProcess {
  return {
    pid: child.pid,
    startedAt,
    exited: child.exited,
    outputsEnded: child.outputsEnded,
    listen: (listener) => child.listen(listener),
    pauseStdout: () => child.pauseStdout(),
    resumeStdout: () => child.resumeStdout(),
    closeStdout: () => child.closeStdout(),
    closeOutputs: () => child.closeOutputs(),
    killGroup: (signal) => child.killGroup(signal),
    endStrays: () =>
      endStrays({
        outputs: child.outputNames(),
        folder: realFolder(folder),
        environment,
        uid: user?.uid ?? process.getuid?.() ?? 0,
      }),
  };
}

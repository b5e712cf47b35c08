import { counted } from '../../../shared/counted.js';
import type { RunTask } from '../../../shared/messages.js';
import type { EndSignal } from '../../../shared/native/end-signal.js';
import type { ResourceUsage } from '../../../shared/native/process-calls.js';
import type { BoundsEnd, CgroupEnd } from './run-bounds.js';

/** What of a process's end tells whether it met a limit. */
export interface LimitedEnd {
  readonly exit:
    | (CgroupEnd & {
        readonly signal: EndSignal | undefined;
        readonly usage?: ResourceUsage | undefined;
      })
    | undefined;
  readonly durationMs: number;
}

/** Which limit explains an end, as a clause for behind a colon; undefined when none does. */
export function limitSentence(
  end: LimitedEnd,
  { limits }: Pick<RunTask, 'limits'>,
  { outOfMemory }: BoundsEnd,
): string | undefined {
  const { memory, filesize, cpuseconds } = limits;
  if (outOfMemory > 0) return `it used more than ${counted(memory, 'byte')} of memory`;
  if (end.exit?.signal === 'SIGXFSZ') return `it wrote more than ${counted(filesize, 'byte')} to a file`;
  if (cpuseconds === 0) return undefined;
  const sentence = `used more than ${counted(cpuseconds, 'second')} of processor time`;
  if (end.exit?.signal === 'SIGXCPU') return `it ${sentence}`;
  return end.exit?.signal === 'SIGKILL' ? afterWarning(end, cpuseconds, sentence) : undefined;
}

/** SIGKILL is what comes a second after SIGXCPU, to a process that goes on. Others may send it, too. */
function afterWarning(
  { exit, durationMs }: LimitedEnd,
  seconds: number,
  sentence: string,
): string | undefined {
  const usage = exit?.usage;
  if (usage === undefined) return durationMs > seconds * 1000 ? `it has probably ${sentence}` : undefined;
  return usage.userMs + usage.systemMs >= seconds * 1000 ? `it ${sentence}` : undefined;
}

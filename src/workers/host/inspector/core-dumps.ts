import { readdirSync } from 'node:fs';
import { codeOf, reasonOf } from '../../../shared/coded-error.js';
import type { CoresAnswer } from '../../../shared/host-messages.js';

/** `core.<service>.<pid>.<unix time>`, as `kernel.core_pattern` is set on such hosts; a service may hold dots. */
const CORE = /^core\.(.+)\.([0-9]+)\.([0-9]{9,10})$/;

/** The core dumps of a folder that were made after a time. None where there is no such folder. */
export function findCores(folder: string, newerThanSeconds: number): CoresAnswer {
  let files: readonly string[];
  try {
    files = readdirSync(folder);
  } catch (thrown) {
    const problem = codeOf(thrown) === 'ENOENT' ? undefined : reasonOf(thrown);
    return { kind: 'cores', cores: [], problem };
  }
  const cores = files.flatMap((file) => {
    const [, service = '', , time] = CORE.exec(file) ?? [];
    const seconds = Number(time);
    return seconds > newerThanSeconds ? [{ file, service, seconds }] : [];
  });
  return { kind: 'cores', cores, problem: undefined };
}

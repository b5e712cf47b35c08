import { reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import type { EngineChoice } from '../../shared/messages.js';
import { type CLibrary, cLibrary } from '../../shared/native/c-library.js';
import { keepDescriptors } from '../../shared/native/descriptors.js';
import { giveUpNewPrivileges } from '../../shared/native/process-calls.js';
import { inheritNoCapabilities } from '../../shared/native/thread-identity.js';
import { crossSpawnEngine } from './cross-spawn-engine.js';
import { LauncherEngine } from './launcher-engine.js';
import { PosixSpawnEngine } from './posix-spawn-engine.js';
import type { ProcessEngine } from './started-process.js';

/** How a thread is to start processes. */
export interface EngineSettings {
  /** `[runner] engine`. */
  readonly choice: EngineChoice;
  /** `[runner] allowsetuid`: programs may gain rights by set-user-id files. */
  readonly allowSetuid: boolean;
  /** Ends the thread: it could not become itself again after it had started something as another user. */
  readonly rightsLost: (reason: string) => never;
  /** Called when the engine that is wanted, or that is best here, cannot be had, with the one that is taken. */
  readonly fallingBack: (to: ProcessEngine['name'], problem: string) => void;
  readonly log: Log;
}

/**
 * The engine for the calling thread, which from then on hands on neither capabilities nor, unless that is allowed, the
 * way to gain some.
 */
export function openEngine(settings: EngineSettings): ProcessEngine {
  const { choice, fallingBack, rightsLost } = settings;
  const { library, ...missing } = cLibrary();
  if (library === undefined) {
    if (choice !== 'cross-spawn') {
      fallingBack('cross-spawn', 'problem' in missing ? missing.problem : 'unknown');
    }
    return crossSpawnEngine;
  }
  confine(library, settings);
  if (choice === 'cross-spawn') return crossSpawnEngine;
  if (choice !== 'posix_spawn') {
    try {
      return new LauncherEngine(library);
    } catch (error) {
      fallingBack('posix_spawn', reasonOf(error));
    }
  }
  try {
    return new PosixSpawnEngine(library, rightsLost);
  } catch (error) {
    fallingBack('cross-spawn', reasonOf(error));
    return crossSpawnEngine;
  }
}

/** What a kernel does not know it cannot hand on either. */
function confine(library: CLibrary, { allowSetuid, log }: EngineSettings): void {
  const steps = [
    () => keepDescriptors(library),
    () => inheritNoCapabilities(library),
    ...(allowSetuid ? [] : [() => giveUpNewPrivileges(library)]),
  ];
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      log.warn({ part: 'runner' }, `plugins cannot be confined as far as usual: ${reasonOf(error)}`);
    }
  }
}

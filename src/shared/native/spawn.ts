import { constants } from 'node:fs';
import { CodedError } from '../coded-error.js';
import { SPAWN_FLAG, STRUCT_BYTES } from './abi.js';
import { type CLibrary, callError, errorNameOf } from './c-library.js';

/** What to execute; no shell and no search of `PATH` takes part. */
export interface SpawnRequest {
  /** Absolute path. */
  readonly file: string;
  /** The whole list, the program's name in front. */
  readonly args: readonly string[];
  readonly folder: string;
  /** `NAME=value` each, the whole environment. */
  readonly environment: readonly string[];
  /** Descriptors that become its stdout and stderr. Its stdin is empty; it has no others that are close-on-exec here. */
  readonly stdout: number;
  readonly stderr: number;
}

const actions = new Uint8Array(STRUCT_BYTES.spawnFileActions);
const pid = new Int32Array(1);

/** Starts programs with `posix_spawn`, which costs the same however much memory this process has. */
export class Spawner {
  readonly #library: CLibrary;
  readonly #attributes = new Uint8Array(STRUCT_BYTES.spawnAttributes);

  constructor(library: CLibrary) {
    this.#library = library;
    const { functions } = library;
    // A bit each; `sigfillset` would leave out the library's own two, which a program would then find ignored.
    const all = new Uint8Array(STRUCT_BYTES.signalSet).fill(0xff);
    const none = new Uint8Array(STRUCT_BYTES.signalSet);
    const { setSession, setSignalDefaults, setSignalMask } = SPAWN_FLAG;
    check('posix_spawnattr_init', functions.posix_spawnattr_init(this.#attributes));
    check(
      'posix_spawnattr_setflags',
      functions.posix_spawnattr_setflags(this.#attributes, setSession | setSignalDefaults | setSignalMask),
    );
    // Node.js ignores SIGPIPE, and that would be inherited.
    check('posix_spawnattr_setsigdefault', functions.posix_spawnattr_setsigdefault(this.#attributes, all));
    check('posix_spawnattr_setsigmask', functions.posix_spawnattr_setsigmask(this.#attributes, none));
  }

  /**
   * Starts a program as leader of a session and a process group of its own, with the rights of the calling thread.
   * @returns its pid
   * @throws CodedError with the system's code: `ENOENT`, `EACCES`, `EAGAIN`, …; `null-byte` for text that C cannot hold
   */
  spawn({ file, args, folder, environment, stdout, stderr }: SpawnRequest): number {
    const { functions } = this.#library;
    if ([file, folder, ...args, ...environment].some((text) => text.includes('\0'))) throw nullByte();
    check('posix_spawn_file_actions_init', functions.posix_spawn_file_actions_init(actions));
    try {
      check(
        'addopen',
        functions.posix_spawn_file_actions_addopen(actions, 0, '/dev/null', constants.O_RDONLY, 0),
      );
      check('adddup2', functions.posix_spawn_file_actions_adddup2(actions, stdout, 1));
      check('adddup2', functions.posix_spawn_file_actions_adddup2(actions, stderr, 2));
      check('addchdir_np', functions.posix_spawn_file_actions_addchdir_np(actions, folder));
      check(
        'posix_spawn',
        functions.posix_spawn(pid, file, actions, this.#attributes, [...args, null], [...environment, null]),
      );
      return pid[0] ?? 0;
    } finally {
      functions.posix_spawn_file_actions_destroy(actions);
    }
  }
}

/** These functions return the number of their error. */
function check(call: string, number: number): void {
  if (number !== 0) throw callError(call, errorNameOf(number));
}

function nullByte(): CodedError {
  return new CodedError('null-byte', 'its parameters or its environment contain null bytes');
}

/** What passes between the supervisor and the thread that measures the host, besides the ring. */
import type { MessagePort } from 'node:worker_threads';
import { HOST_TYPES, type HostTypeName } from './host-types.js';
import type { LogLevel, LogLine } from './log.js';

/** Settings that hold as long as the agent runs. */
export interface HostSettings {
  readonly collect: readonly HostTypeName[];
  /** Interfaces whose names begin so count as the host's own. */
  readonly interfacePrefixes: readonly string[];
  /** `host:port` each. */
  readonly ntpServers: readonly string[];
  /** True: the limits of the agent's own control group count as the machine's. */
  readonly cgroup: boolean;
  readonly coreDumpFolder: string;
  /** How long one file system may take to answer. */
  readonly fileSystemTimeoutMs: number;
}

/** What the thread is given when it starts. */
export interface HostSetup {
  readonly ring: SharedArrayBuffer;
  readonly lane: number;
  /** Value of the tag `host`. */
  readonly host: string;
  /** In front of the namespace in a document's `database`. */
  readonly databasePrefix: string;
  readonly maxDocumentBytes: number;
  readonly logLevel: LogLevel;
  readonly settings: HostSettings;
  /** See `HostCounts`. */
  readonly counts: SharedArrayBuffer;
}

/** A TCP port of this host that somebody should be listening on. */
export interface WatchedPort {
  readonly namespace: string;
  /** The measurement. */
  readonly name: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
}

/** An executable whose processes are measured. */
export interface WatchedProcess {
  readonly namespace: string;
  /** The beginning of the measurements' names. */
  readonly name: string;
  /** Absolute, as `/proc/<pid>/exe` has it. */
  readonly path: string;
}

/** What is measured, for whom, and how often. */
export interface HostPlan {
  /** That get all but PORT and PROC. */
  readonly namespaces: readonly string[];
  /** Seconds, of types that have another interval than their own. */
  readonly intervals: Readonly<Partial<Record<HostTypeName, number>>>;
  readonly ports: readonly WatchedPort[];
  readonly processes: readonly WatchedProcess[];
}

/** What the supervisor says to the thread. */
export type ToHost =
  | { readonly type: 'plan'; readonly plan: HostPlan }
  /** End at once; what is measured now is not sent. */
  | { readonly type: 'stop' };

/** What the thread says to the supervisor. */
export type FromHost =
  | LogLine
  /** Start a thread that looks at files which may not answer, and give it this end. */
  | { readonly type: 'inspector'; readonly port: MessagePort };

/** What an inspector thread is given: jobs come through the port, answers go back in their order. */
export interface InspectorSetup {
  readonly port: MessagePort;
}

/** A look at files that may not answer: whoever looks may hang as long as they do. */
export type InspectorJob =
  | { readonly kind: 'mount'; readonly path: string; readonly readOnly: boolean }
  | { readonly kind: 'cores'; readonly folder: string; readonly newerThanSeconds: number };

/** Space and inodes of a file system, and whether it can be used. */
export interface MountAnswer {
  readonly kind: 'mount';
  /** Undefined when the system did not say it. */
  readonly usage: FileSystemUsage | undefined;
  readonly usable: boolean;
  /** Why it is not; undefined when it is. */
  readonly problem: string | undefined;
}

/** As statfs(2) says it. */
export interface FileSystemUsage {
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** Free to ordinary users. */
  readonly availableBytes: number;
  readonly inodes: number;
  readonly freeInodes: number;
}

/** The core dumps of a folder. */
export interface CoresAnswer {
  readonly kind: 'cores';
  readonly cores: readonly { readonly file: string; readonly service: string; readonly seconds: number }[];
  /** Why the folder could not be read; undefined also when it is not there. */
  readonly problem: string | undefined;
}

/** What an inspector says of a job. */
export type InspectorAnswer = MountAnswer | CoresAnswer;

/** So many rounds of a type are over, with so many points sent. */
export interface HostTypeCount {
  readonly type: HostTypeName;
  readonly rounds: number;
  readonly points: number;
}

/**
 * Rounds and points of each type since the start of the agent, in memory that both threads see: the one counts, the
 * other reads without asking, and a thread that dies takes nothing along.
 */
export class HostCounts {
  readonly memory: SharedArrayBuffer;
  readonly #words: BigUint64Array;

  constructor(memory = new SharedArrayBuffer(HOST_TYPES.length * 16)) {
    this.memory = memory;
    this.#words = new BigUint64Array(memory);
  }

  /** Counts a round; after its points, so that whoever reads a round reads these, too. */
  add(type: HostTypeName, points: number): void {
    const first = 2 * HOST_TYPES.indexOf(type);
    Atomics.add(this.#words, first + 1, BigInt(points));
    Atomics.add(this.#words, first, 1n);
  }

  /** Those that had a round. */
  read(): readonly HostTypeCount[] {
    return HOST_TYPES.map((type, place) => ({
      type,
      rounds: Number(Atomics.load(this.#words, 2 * place)),
      points: Number(Atomics.load(this.#words, 2 * place + 1)),
    })).filter(({ rounds }) => rounds > 0);
  }
}

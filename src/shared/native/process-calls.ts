import {
  PRIORITY_PROCESS,
  PROCESS_CONTROL,
  RESOURCE,
  type Resource,
  SIGNAL_INFO,
  STRUCT_BYTES,
  UNLIMITED,
  USAGE_WORD,
  WAIT_ID,
  WAIT_NO_HANG,
} from './abi.js';
import { type CLibrary, callError } from './c-library.js';
import { type EndSignal, endSignal } from './end-signal.js';

/** What a process took up until its end, with those of its children that it waited for. */
export interface ResourceUsage {
  /** Processor time in milliseconds, in its own code. */
  readonly userMs: number;
  /** Processor time in milliseconds, in the kernel. */
  readonly systemMs: number;
  /**
   * The most memory that it had at once, in bytes. The kernel counts what this process had when it started the program,
   * which shares its memory until then: undefined when the program stayed below that.
   */
  readonly maxRssBytes: number | undefined;
}

/** How a child ended. */
export interface ChildEnd {
  /** Undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly signal: EndSignal | undefined;
  readonly usage: ResourceUsage;
}

const SIGNAL_BITS = 0x7f;

const status = new Int32Array(1);
const usageWords = new BigInt64Array(STRUCT_BYTES.resourceUsage / BigInt64Array.BYTES_PER_ELEMENT);

/**
 * Takes the end of a child of this process, if it has ended; never waits. Only for children that were not started by
 * Node.js, which waits for its own.
 * @returns undefined while it lives; 'not-ours' when there is no such child (any more)
 */
export function takeChildEnd(
  { functions, errorName }: CLibrary,
  pid: number,
): ChildEnd | 'not-ours' | undefined {
  const taken = functions.wait4(pid, status, WAIT_NO_HANG, usageWords);
  if (taken === 0) return undefined;
  if (taken > 0) return childEnd(status[0] ?? 0, usageTaken());
  const code = errorName();
  if (code === 'ECHILD') return 'not-ours';
  if (code === 'EINTR') return undefined;
  throw callError('wait4', code);
}

const info = new Int32Array(SIGNAL_INFO.bytes / Int32Array.BYTES_PER_ELEMENT);

/**
 * A descriptor that can be read when a child has ended; undefined where there is none: before Linux 5.3, where a sandbox
 * does not allow it, or when descriptors have run out.
 */
export function openEndDescriptor(library: CLibrary, pid: number): number | undefined {
  const descriptor = library.systemCall(library.abi.systemCall.pidfdOpen, pid, 0, 0, 0);
  if (descriptor < 0) return undefined;
  library.ledger?.opened(descriptor);
  return descriptor;
}

/** Whether any child of this process has ended and waits to be taken. Takes nothing. */
export function someChildEnded(library: CLibrary): boolean {
  return endWaits(library, WAIT_ID.all, 0) === true;
}

/**
 * Whether a child of this process has ended and waits to be taken. Takes nothing: until that is done, nobody else can
 * get the child's number, or that of its process group.
 * @returns 'not-ours' when there is no such child (any more)
 */
export function childEnded(library: CLibrary, pid: number): boolean | 'not-ours' {
  return endWaits(library, WAIT_ID.process, pid);
}

function endWaits({ functions, errorName }: CLibrary, kind: number, id: number): boolean | 'not-ours' {
  info[SIGNAL_INFO.pidWord] = 0;
  const result = functions.waitid(kind, id, info, WAIT_ID.exited | WAIT_ID.noWait | WAIT_NO_HANG);
  if (result === 0) return info[SIGNAL_INFO.pidWord] !== 0;
  return errorName() === 'ECHILD' ? 'not-ours' : false;
}

/** Makes orphans among this process's descendants its own children, so that it finds them and learns of their end. */
export function becomeSubreaper(library: CLibrary): void {
  control(library, PROCESS_CONTROL.setChildSubreaper, 1);
}

/** Closes set-user-id programs to this thread and all that it starts, for good. */
export function giveUpNewPrivileges(library: CLibrary): void {
  control(library, PROCESS_CONTROL.setNoNewPrivileges, 1);
}

/** Bounds of a resource: above the soft one a process is told or refused, and it cannot raise the hard one. */
export interface ResourceBounds {
  readonly soft: number | 'unlimited';
  readonly hard: number | 'unlimited';
}

/**
 * Bounds what a running process may take up; its later children inherit that.
 * @param resource in its own unit, see `RESOURCE`
 * @throws CodedError `ESRCH` when it is gone, `EPERM` when it may not be touched, or the bound be raised
 */
export function prlimit(
  library: CLibrary,
  pid: number,
  resource: Resource,
  { soft, hard }: ResourceBounds,
): void {
  const bounds = BigUint64Array.of(boundWord(soft), boundWord(hard));
  const number = library.abi.systemCall.prlimit64;
  if (library.systemCallPair(number, pid, RESOURCE[resource], bounds, null) < 0) {
    throw callError('prlimit', library.errorName());
  }
}

/**
 * The most of a resource that a process may give itself.
 * @param pid 0: this process, which may give others no more either, without special rights
 * @throws CodedError `ESRCH` when it is gone, `EPERM` when it may not be asked
 */
export function hardLimitOf(library: CLibrary, pid: number, resource: Resource): number | 'unlimited' {
  const bounds = new BigUint64Array(2);
  const number = library.abi.systemCall.prlimit64;
  if (library.systemCallPair(number, pid, RESOURCE[resource], null, bounds) < 0) {
    throw callError('prlimit', library.errorName());
  }
  const [, hard = UNLIMITED] = bounds;
  return hard === UNLIMITED ? 'unlimited' : Number(hard);
}

/**
 * Sets the niceness of a process that has one thread yet, as one that was just started.
 * @param nice from -20 (first served) to 19 (last)
 * @throws CodedError `ESRCH` when it is gone, `EACCES` or `EPERM` when that may not be
 */
export function setpriority({ functions, errorName }: CLibrary, pid: number, nice: number): void {
  if (functions.setpriority(PRIORITY_PROCESS, pid, nice) < 0) throw callError('setpriority', errorName());
}

function control({ functions, errorName }: CLibrary, option: number, value: number): void {
  if (functions.prctl(option, value, 0, 0, 0) < 0) throw callError('prctl', errorName());
}

function boundWord(bound: number | 'unlimited'): bigint {
  return bound === 'unlimited' ? UNLIMITED : BigInt(Math.max(0, Math.trunc(bound)));
}

/** What the kernel counted of a process, in its own units. */
export interface CountedUsage {
  readonly userMicroseconds: number;
  readonly systemMicroseconds: number;
  readonly maxRssKibibytes: number;
}

/** How a child ended, from the status word and the usage that come with its end. */
export function childEnd(word: number, counted: CountedUsage): ChildEnd {
  const signalNumber = word & SIGNAL_BITS;
  const usage: ResourceUsage = {
    userMs: counted.userMicroseconds / 1000,
    systemMs: counted.systemMicroseconds / 1000,
    maxRssBytes: above(ownMaxRssKibibytes(), counted.maxRssKibibytes),
  };
  if (signalNumber === 0) return { code: (word >> 8) & 0xff, signal: undefined, usage };
  return { code: undefined, signal: endSignal(signalNumber), usage };
}

function usageTaken(): CountedUsage {
  return {
    userMicroseconds: microseconds(USAGE_WORD.userSeconds, USAGE_WORD.userMicroseconds),
    systemMicroseconds: microseconds(USAGE_WORD.systemSeconds, USAGE_WORD.systemMicroseconds),
    maxRssKibibytes: usageWord(USAGE_WORD.maxRssKibibytes),
  };
}

function microseconds(seconds: number, rest: number): number {
  return usageWord(seconds) * 1e6 + usageWord(rest);
}

function usageWord(place: number): number {
  return Number(usageWords[place] ?? 0n);
}

function above(own: number, kibibytes: number): number | undefined {
  return kibibytes > own ? kibibytes * 1024 : undefined;
}

const OWN_MAX_RSS_EVERY_MS = 1000;
let ownMaxRss = 0;
let ownMaxRssAt = Number.NEGATIVE_INFINITY;

/** Grows only, so that a moment ago is good enough but for what this process took since: some room covers that. */
function ownMaxRssKibibytes(): number {
  const now = performance.now();
  if (now - ownMaxRssAt > OWN_MAX_RSS_EVERY_MS) {
    ownMaxRssAt = now;
    ownMaxRss = Math.ceil(process.resourceUsage().maxRSS * OWN_MAX_RSS_ROOM);
  }
  return ownMaxRss;
}

const OWN_MAX_RSS_ROOM = 1.1;

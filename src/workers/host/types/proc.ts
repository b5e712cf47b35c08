import { readlinkSync } from 'node:fs';
import type { HostPoint, HostType, ReadContext } from '../host-type.js';
import { kernelFolder, readShortKernelFile } from '../kernel-file.js';
import { growth, twoDecimals } from '../numbers.js';
import { isProcessId } from '../process-count.js';
import { readSystemValues } from '../system-values.js';

interface ProcState {
  readonly monotonicMs: number;
  /** By executable. */
  readonly processes: ReadonlyMap<string, readonly MeasuredProcess[]>;
}

interface MeasuredProcess {
  /** Process id and time of its start: an id alone is used again. */
  readonly identity: string;
  readonly residentBytes: number;
  readonly openFiles: number;
  readonly cpuTicks: number;
  /** Undefined where the kernel does not let us see it. */
  readonly readBytes: number | undefined;
  readonly writtenBytes: number | undefined;
}

const { pageBytes, ticksPerSecond } = readSystemValues();

/** What the kernel puts behind the path of an executable that was replaced or removed. */
const DELETED = ' (deleted)';

/** Processes of watched executables. */
export const hostType: HostType<ProcState> = {
  type: 'PROC',
  intervalSeconds: 60,
  isWanted: ({ processes }) => processes.length > 0,
  read(previous, context) {
    const { plan, places, monotonicMs } = context;
    const paths = new Set(plan.processes.map(({ path }) => path));
    const state: ProcState = { monotonicMs, processes: findProcesses(places.proc, paths) };
    const points = new Map(
      Array.from(state.processes, ([path, processes]) => [
        path,
        [...sums(processes), ...rates(processes, previous?.processes.get(path), previous, context)],
      ]),
    );
    return {
      points: plan.processes.flatMap(({ namespace, name, path }) =>
        (points.get(path) ?? []).map((point) => ({ ...point, name: `${name}.${point.name}`, namespace })),
      ),
      state,
    };
  },
};

/** One pass over all processes: of each the link to its executable, of those that are watched the rest. */
function findProcesses(
  proc: string,
  paths: ReadonlySet<string>,
): ReadonlyMap<string, readonly MeasuredProcess[]> {
  const found = new Map(Array.from(paths, (path): [string, MeasuredProcess[]] => [path, []]));
  if (paths.size === 0) return found;
  // Kernel threads and processes of others have no link that we can read, and a stack for each of them is dear.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    for (const name of kernelFolder(proc)) {
      if (!isProcessId(name)) continue;
      const processes = found.get(watchedPath(`${proc}/${name}/exe`, paths));
      const measured = processes && measure(`${proc}/${name}`, name);
      if (measured !== undefined) processes?.push(measured);
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  return found;
}

function watchedPath(link: string, paths: ReadonlySet<string>): string {
  let path: string;
  try {
    path = readlinkSync(link);
  } catch {
    return '';
  }
  return path.endsWith(DELETED) && !paths.has(path) ? path.slice(0, -DELETED.length) : path;
}

/** Undefined when it has ended meanwhile. */
function measure(folder: string, pid: string): MeasuredProcess | undefined {
  const stat = readShortKernelFile(`${folder}/stat`);
  if (stat === undefined) return undefined;
  // The fields of proc(5) from the third one on: the name before them may hold blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  const io = readShortKernelFile(`${folder}/io`) ?? '';
  return {
    identity: `${pid} ${field(22)}`,
    residentBytes: field(24) * pageBytes,
    openFiles: kernelFolder(`${folder}/fd`).length,
    cpuTicks: field(14) + field(15),
    readBytes: valueIn(io, 'read_bytes'),
    writtenBytes: valueIn(io, 'write_bytes'),
  };
}

function valueIn(io: string, key: string): number | undefined {
  const value = new RegExp(`^${key}: ([0-9]+)`, 'm').exec(io)?.[1];
  return value === undefined ? undefined : Number(value);
}

function sums(processes: readonly MeasuredProcess[]): readonly HostPoint[] {
  const sum = (of: (process: MeasuredProcess) => number) =>
    processes.reduce((total, process) => total + of(process), 0);
  return [
    { name: 'procnum', value: processes.length },
    { name: 'fdnum', value: sum(({ openFiles }) => openFiles) },
    { name: 'mem', value: sum(({ residentBytes }) => residentBytes) },
  ];
}

/** Of the processes that were there in both rounds. */
function rates(
  now: readonly MeasuredProcess[],
  before: readonly MeasuredProcess[] | undefined,
  previous: ProcState | undefined,
  { monotonicMs }: ReadContext,
): readonly HostPoint[] {
  const seconds = (monotonicMs - (previous?.monotonicMs ?? monotonicMs)) / 1000;
  if (before === undefined || seconds <= 0) return [];
  const known = new Map(before.map((process) => [process.identity, process]));
  const pairs = now.flatMap((process) => {
    const earlier = known.get(process.identity);
    return earlier === undefined ? [] : [{ process, earlier }];
  });
  const grown = (of: (process: MeasuredProcess) => number | undefined): readonly (number | undefined)[] =>
    pairs.map(({ process, earlier }) => growth(of(process), of(earlier)));
  return [
    ...ratePoint(
      'cpu',
      grown(({ cpuTicks }) => cpuTicks),
      (ticks) => (ticks / ticksPerSecond / seconds) * 100,
    ),
    ...ratePoint(
      'io.read',
      grown(({ readBytes }) => readBytes),
      (bytes) => bytes / seconds,
    ),
    ...ratePoint(
      'io.write',
      grown(({ writtenBytes }) => writtenBytes),
      (bytes) => bytes / seconds,
    ),
  ];
}

/** No point when there are processes and nothing is known of any. */
function ratePoint(
  name: string,
  grown: readonly (number | undefined)[],
  rate: (grown: number) => number,
): readonly HostPoint[] {
  const known = grown.filter((value) => value !== undefined);
  if (known.length === 0 && grown.length > 0) return [];
  return [{ name, value: twoDecimals(rate(known.reduce((sum, value) => sum + value, 0))) }];
}

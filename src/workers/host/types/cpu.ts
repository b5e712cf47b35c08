import type { HostPoint, HostType, ReadContext, Reading } from '../host-type.js';
import { readKernelFile, readShortKernelFile } from '../kernel-file.js';
import { growth, percentOf, twoDecimals } from '../numbers.js';
import { countProcesses, type NextLook } from '../process-count.js';

interface CpuState {
  readonly monotonicMs: number;
  /** By `cpu` for all together, `cpu0`, `cpu1`, … */
  readonly times: ReadonlyMap<string, CpuTimes>;
  readonly contextSwitches: number | undefined;
  readonly nextLook: NextLook;
}

/** In clock ticks since the start of the machine. */
interface CpuTimes {
  readonly idle: number;
  readonly iowait: number;
  /** With `nice` and guests. */
  readonly user: number;
  /** With interrupts. */
  readonly system: number;
  readonly steal: number;
}

/** Processors, load and processes. */
export const hostType: HostType<CpuState> = {
  type: 'CPU',
  intervalSeconds: 10,
  read(previous, context) {
    const { places, monotonicMs } = context;
    const processes = countProcesses(places.proc, monotonicMs, previous?.nextLook);
    const state = { ...readTimes(context), nextLook: processes.next };
    const points = [{ name: 'agent.alive', value: 1 }, ...loadPoints(context), ...processes.points];
    if (previous !== undefined) points.push(...ratePoints(previous, state));
    return { points, state } satisfies Reading<CpuState>;
  },
};

function readTimes({ places, monotonicMs }: ReadContext): Omit<CpuState, 'nextLook'> {
  const times = new Map<string, CpuTimes>();
  let contextSwitches: number | undefined;
  for (const line of readKernelFile(`${places.proc}/stat`)?.split('\n') ?? []) {
    if (line.startsWith('cpu')) {
      const [name = '', ...ticks] = line.split(/ +/);
      times.set(name, timesOf(ticks.map(Number)));
    } else if (line.startsWith('ctxt ')) {
      contextSwitches = Number(line.slice(5));
      break;
    }
  }
  return { monotonicMs, times, contextSwitches };
}

/** The columns of proc(5); guests are in `user` already. Old kernels have fewer of them. */
function timesOf(ticks: readonly number[]): CpuTimes {
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = ticks;
  return { idle, iowait, user: user + nice, system: system + irq + softirq, steal };
}

function ratePoints(previous: CpuState, state: CpuState): readonly HostPoint[] {
  const points: HostPoint[] = [];
  for (const [name, times] of state.times) {
    const before = previous.times.get(name);
    if (before === undefined) continue;
    if (name === 'cpu') points.push(...shares(times, before));
    else points.push(...coreIdle(name.slice(3), times, before));
  }
  const switches = growth(state.contextSwitches, previous.contextSwitches);
  const elapsedMs = state.monotonicMs - previous.monotonicMs;
  if (switches !== undefined && elapsedMs > 0) {
    points.push({ name: 'cpu.context_switches', value: twoDecimals((switches * 1000) / elapsedMs) });
  }
  return points;
}

const SHARES = ['idle', 'user', 'system', 'iowait', 'steal'] as const;

function shares(times: CpuTimes, before: CpuTimes): HostPoint[] {
  const total = totalGrowth(times, before);
  return SHARES.flatMap((share) => {
    const grown = growth(times[share], before[share]);
    if (grown === undefined || total <= 0) return [];
    return [{ name: `cpu.${share}`, value: percentOf(grown, total) }];
  });
}

function coreIdle(core: string, times: CpuTimes, before: CpuTimes): HostPoint[] {
  const total = totalGrowth(times, before);
  const idle = growth(times.idle, before.idle);
  if (idle === undefined || total <= 0) return [];
  return [{ name: 'cpu.idle.core', value: percentOf(idle, total), tags: { core } }];
}

/** The kernel takes back some of `iowait` at times, and more when a cpu goes off-line; that counts as nothing. */
function totalGrowth(times: CpuTimes, before: CpuTimes): number {
  return SHARES.reduce((sum, share) => sum + (growth(times[share], before[share]) ?? 0), 0);
}

function loadPoints({ places }: ReadContext): HostPoint[] {
  const loads = readShortKernelFile(`${places.proc}/loadavg`)?.split(' ') ?? [];
  return ['1', '5', '15'].flatMap((minutes, place) => {
    const value = Number.parseFloat(loads[place] ?? '');
    return Number.isFinite(value) ? [{ name: `cpu.loadavg.${minutes}`, value }] : [];
  });
}

import type { HostPoint, HostType, ReadContext } from '../host-type.js';
import { readKernelFile, readNumberFile } from '../kernel-file.js';
import { growth, numbersOf, percentOf, twoDecimals } from '../numbers.js';

interface NetState {
  readonly monotonicMs: number;
  readonly interfaces: ReadonlyMap<string, InterfaceCounters>;
}

interface InterfaceCounters {
  /** Another one when the interface was removed and made again; undefined where the kernel does not say it. */
  readonly index: number | undefined;
  readonly receivedBytes: number;
  readonly receivedDropped: number;
  readonly sentBytes: number;
  readonly sentDropped: number;
}

/** Interfaces of the host's own, and sockets. */
export const hostType: HostType<NetState> = {
  type: 'NET',
  intervalSeconds: 10,
  read(previous, context) {
    const state = readState(context);
    const elapsedMs = state.monotonicMs - (previous?.monotonicMs ?? state.monotonicMs);
    const points = socketPoints(context.places.proc);
    for (const [name, now] of state.interfaces) {
      const speed = linkSpeed(context.places.sys, name);
      if (speed !== undefined) points.push({ name: 'net.speed', value: speed, tags: { interface: name } });
      const before = previous?.interfaces.get(name);
      if (before === undefined || before.index !== now.index || elapsedMs <= 0) continue;
      points.push(...ratePoints(name, now, before, elapsedMs, speed));
    }
    return { points, state };
  },
};

function readState({ places, settings, monotonicMs }: ReadContext): NetState {
  const interfaces = new Map<string, InterfaceCounters>();
  const [, , ...lines] = readKernelFile(`${places.proc}/net/dev`)?.split('\n') ?? [];
  for (const line of lines) {
    // A long number follows the colon without a blank; names of old aliases hold colons themselves.
    const colon = line.lastIndexOf(':');
    const name = line.slice(0, colon).trim();
    if (colon < 0 || !settings.interfacePrefixes.some((prefix) => name.startsWith(prefix))) continue;
    const columns = numbersOf(line.slice(colon + 1));
    const [receivedBytes = 0, , , receivedDropped = 0, , , , , sentBytes = 0, , , sentDropped = 0] = columns;
    const index = readNumberFile(`${places.sys}/class/net/${name}/ifindex`);
    interfaces.set(name, { index, receivedBytes, receivedDropped, sentBytes, sentDropped });
  }
  return { monotonicMs, interfaces };
}

/** Mbit/s; undefined where there is no link, or a virtual one that says -1 or nothing. */
function linkSpeed(sys: string, name: string): number | undefined {
  const speed = readNumberFile(`${sys}/class/net/${name}/speed`);
  return speed !== undefined && speed > 0 && speed < 0xffff_ffff ? speed : undefined;
}

/** Each direction by itself: counters of 32 bits wrap in one while the other one stands still. */
function ratePoints(
  name: string,
  now: InterfaceCounters,
  before: InterfaceCounters,
  elapsedMs: number,
  speed: number | undefined,
): HostPoint[] {
  const tags = { interface: name };
  const seconds = elapsedMs / 1000;
  const directions = [
    ['net.in', 'receivedBytes', 'receivedDropped'],
    ['net.out', 'sentBytes', 'sentDropped'],
  ] as const;
  return directions.flatMap(([direction, bytes, dropped]) => {
    const points: HostPoint[] = [];
    const grownBytes = growth(now[bytes], before[bytes]);
    const grownDropped = growth(now[dropped], before[dropped]);
    if (grownBytes !== undefined) {
      const bits = (grownBytes * 8) / seconds;
      points.push({ name: direction, value: twoDecimals(bits), tags });
      if (speed !== undefined) {
        points.push({ name: `${direction}.percent`, value: percentOf(bits, speed * 1e6), tags });
      }
    }
    if (grownDropped !== undefined) {
      points.push({ name: `${direction}.dropped`, value: twoDecimals(grownDropped / seconds), tags });
    }
    return points;
  });
}

/** Name of the point, line and key of `/proc/net/sockstat`. */
const SOCKETS = [
  ['net.sockets.used', 'sockets', 'used'],
  ['net.tcp.inuse', 'TCP', 'inuse'],
  ['net.tcp.timewait', 'TCP', 'tw'],
  ['net.tcp.orphan', 'TCP', 'orphan'],
  ['net.udp.inuse', 'UDP', 'inuse'],
] as const;

function socketPoints(proc: string): HostPoint[] {
  const text = readKernelFile(`${proc}/net/sockstat`) ?? '';
  return SOCKETS.flatMap(([name, line, key]) => {
    const value = new RegExp(`^${line}: (?:.* )?${key} ([0-9]+)`, 'm').exec(text)?.[1];
    return value === undefined ? [] : [{ name, value: Number(value) }];
  });
}

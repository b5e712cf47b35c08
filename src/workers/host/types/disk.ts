import { existsSync } from 'node:fs';
import type { HostPoint, HostType, ReadContext } from '../host-type.js';
import { readKernelFile } from '../kernel-file.js';
import { growth, numbersOf, twoDecimals } from '../numbers.js';

interface DiskState {
  readonly monotonicMs: number;
  readonly disks: ReadonlyMap<string, DiskCounters>;
  /** What was found out of names, so that `/sys` is asked once for each. */
  readonly wholeDisks: ReadonlyMap<string, boolean>;
}

interface DiskCounters {
  readonly reads: number;
  readonly writes: number;
  readonly readSectors: number;
  readonly writtenSectors: number;
  /** Of all requests together. */
  readonly readMs: number;
  readonly writeMs: number;
  /** With at least one request under way. */
  readonly busyMs: number;
}

/** The unit of `/proc/diskstats`, whatever the disk's own sectors are. */
const SECTOR_BYTES = 512;

/** Whole disks. */
export const hostType: HostType<DiskState> = {
  type: 'DISK',
  intervalSeconds: 10,
  read(previous, context) {
    const state = readState(previous, context);
    const elapsedMs = state.monotonicMs - (previous?.monotonicMs ?? state.monotonicMs);
    const points: HostPoint[] = [];
    for (const [device, now] of state.disks) {
      const before = previous?.disks.get(device);
      if (before !== undefined && elapsedMs > 0) points.push(...ratePoints(device, now, before, elapsedMs));
    }
    return { points, state };
  },
};

function readState(previous: DiskState | undefined, { places, monotonicMs }: ReadContext): DiskState {
  const disks = new Map<string, DiskCounters>();
  const wholeDisks = new Map<string, boolean>();
  for (const line of readKernelFile(`${places.proc}/diskstats`)?.split('\n') ?? []) {
    const [, , name, ...counters] = line.trim().split(/ +/);
    if (name === undefined || counters.length < 11) continue;
    const isWhole = previous?.wholeDisks.get(name) ?? isWholeDisk(places.sys, name);
    wholeDisks.set(name, isWhole);
    if (isWhole) disks.set(name, countersOf(numbersOf(counters.join(' '))));
  }
  return { monotonicMs, disks, wholeDisks };
}

function countersOf(columns: readonly number[]): DiskCounters {
  const [
    reads = 0,
    ,
    readSectors = 0,
    readMs = 0,
    writes = 0,
    ,
    writtenSectors = 0,
    writeMs = 0,
    ,
    busyMs = 0,
  ] = columns;
  return { reads, writes, readSectors, writtenSectors, readMs, writeMs, busyMs };
}

const DISK_NAME =
  /^(?:(?:sd|vd|xvd|hd|dasd)[a-z]+|nvme[0-9]+n[0-9]+|mmcblk[0-9]+|nbd[0-9]+|rbd[0-9]+|pmem[0-9]+)$/;
/** Optical and floppy drives, and what is made of other devices or of memory. */
const NO_DISK = /^(?:sr|fd|loop|ram|zram|dm-|md|mtdblock)[0-9]/;

/** By its name, or because the kernel knows a device behind it: xvda1 can be a whole disk, too. */
function isWholeDisk(sys: string, name: string): boolean {
  if (DISK_NAME.test(name)) return true;
  // The kernel's names have a slash (cciss/c0d0), its folders an exclamation mark there.
  return !NO_DISK.test(name) && existsSync(`${sys}/block/${name.replaceAll('/', '!')}/device`);
}

/** Nothing for a disk one of whose counters went back: it wrapped, or it is another disk. */
function ratePoints(device: string, now: DiskCounters, before: DiskCounters, elapsedMs: number): HostPoint[] {
  const grown = {
    reads: growth(now.reads, before.reads),
    writes: growth(now.writes, before.writes),
    readSectors: growth(now.readSectors, before.readSectors),
    writtenSectors: growth(now.writtenSectors, before.writtenSectors),
    readMs: growth(now.readMs, before.readMs),
    writeMs: growth(now.writeMs, before.writeMs),
    busyMs: growth(now.busyMs, before.busyMs),
  };
  if (!isComplete(grown)) return [];
  const { reads, writes, readSectors, writtenSectors, readMs, writeMs, busyMs } = grown;
  const requests = reads + writes;
  const perSecond = (count: number) => twoDecimals((count * 1000) / elapsedMs);
  const tags = { device };
  return [
    { name: 'disk.io.read_requests', value: perSecond(reads), tags },
    { name: 'disk.io.write_requests', value: perSecond(writes), tags },
    { name: 'disk.io.await', value: requests === 0 ? 0 : twoDecimals((readMs + writeMs) / requests), tags },
    { name: 'disk.io.util', value: Math.min(100, twoDecimals((busyMs / elapsedMs) * 100)), tags },
    { name: 'disk.io.read_bytes', value: perSecond(readSectors * SECTOR_BYTES), tags },
    { name: 'disk.io.write_bytes', value: perSecond(writtenSectors * SECTOR_BYTES), tags },
  ];
}

function isComplete(grown: Readonly<Record<keyof DiskCounters, number | undefined>>): grown is DiskCounters {
  return Object.values(grown).every((value) => value !== undefined);
}

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Places } from '../../src/workers/host/places.js';
import { temporaryFolder } from './temporary-folder.js';

export interface LargeHostSize {
  readonly cpus?: number;
  readonly disks?: number;
  readonly interfaces?: number;
  readonly mounts?: number;
  readonly processes?: number;
  /** Where the mounts are, `volume0` and so on. */
  readonly mountFolder?: string;
}

/**
 * A machine with NVMe disks as large as wanted, its files made by rule: nobody reads thousands of recorded ones. Every
 * counter grows by `advance` by the same share, so that what comes of it is known.
 */
export class LargeHost {
  readonly places: Places;
  readonly #size: Required<LargeHostSize>;
  #moment = 1;

  constructor(test: Pick<TestContext, 'after'>, size: LargeHostSize = {}) {
    const folder = temporaryFolder(test);
    this.#size = {
      cpus: 64,
      disks: 8,
      interfaces: 4,
      mounts: 10,
      processes: 100,
      mountFolder: '/srv',
      ...size,
    };
    this.places = {
      proc: join(folder, 'proc'),
      sys: join(folder, 'sys'),
      wtmp: join(folder, 'wtmp'),
      btmp: join(folder, 'btmp'),
    };
    this.#writeOnce();
    this.#writeCounters();
  }

  /** Ten seconds on: cores 75 % idle, disks with 100 reads and 50 writes a second and half busy, 8 Mbit/s each way. */
  advance(): void {
    this.#moment += 1;
    this.#writeCounters();
  }

  #writeOnce(): void {
    const { processes, mounts, mountFolder, interfaces } = this.#size;
    this.#write('proc/loadavg', `12.00 11.00 10.00 9/${processes * 4} 99999\n`);
    this.#write(
      'proc/meminfo',
      'MemTotal: 527999000 kB\nMemFree: 100000000 kB\nMemAvailable: 400000000 kB\n',
    );
    this.#write('proc/sys/fs/file-nr', '100000\t0\t52799900\n');
    const lines = numbers(mounts).map(
      (n) =>
        `${n + 30} 29 259:${n} / ${mountFolder}/volume${n} rw,relatime shared:${n} - ext4 /dev/nvme${n}n1p1 rw`,
    );
    this.#write('proc/self/mountinfo', `${lines.join('\n')}\n`);
    for (const n of numbers(interfaces)) {
      this.#write(`sys/class/net/eth${n}/ifindex`, `${n + 2}\n`);
      this.#write(`sys/class/net/eth${n}/speed`, '25000\n');
    }
    for (const n of numbers(processes)) this.#writeProcess(n + 1);
  }

  /** Every fifth one is a thread of the kernel, as on a machine of many cores. */
  #writeProcess(pid: number): void {
    const state = pid % 50 === 0 ? 'R' : 'S';
    const rest =
      '1 1 1 0 -1 4194560 100 0 0 0 50 20 0 0 20 0 1 0 100 1000000 300 18446744073709551615 1 1 0 0 0';
    this.#write(`proc/${pid}/stat`, `${pid} (worker) ${state} ${rest} 0 0 4096 0 0 0 0 17 3 0 0 0 0 0\n`);
    if (pid % 5 !== 0) symlinkSync(`/usr/bin/program${pid % 40}`, join(this.places.proc, `${pid}/exe`));
  }

  #writeCounters(): void {
    const moment = this.#moment;
    const { cpus, disks, interfaces } = this.#size;
    const ticks = (cores: number) =>
      `${200 * moment * cores} 0 ${50 * moment * cores} ${750 * moment * cores} 0 0 0 0 0 0`;
    const cores = numbers(cpus).map((n) => `cpu${n} ${ticks(1)}`);
    this.#write(
      'proc/stat',
      `cpu  ${ticks(cpus)}\n${cores.join('\n')}\nintr ${'0 '.repeat(2000)}\nctxt ${moment * 1_000_000}\nbtime 1780000000\n`,
    );
    const nvme = numbers(disks).flatMap((n) => [
      ` 259 ${2 * n} nvme${n}n1 ${1000 * moment} 0 ${8000 * moment} ${500 * moment} ${500 * moment} 0 ${8000 * moment} ${1000 * moment} 0 ${5000 * moment} ${1500 * moment} 0 0 0 0 0 0`,
      ` 259 ${2 * n + 1} nvme${n}n1p1 1 0 1 1 1 0 1 1 0 1 1 0 0 0 0 0 0`,
    ]);
    this.#write('proc/diskstats', `${nvme.join('\n')}\n`);
    const bytes = 10_000_000 * moment;
    const links = numbers(interfaces).map((n) => `  eth${n}: ${bytes} 1 0 0 0 0 0 0 ${bytes} 1 0 0 0 0 0 0`);
    this.#write('proc/net/dev', `Inter-|\n face |\n${links.join('\n')}\n`);
  }

  #write(path: string, text: string): void {
    const file = join(this.places.proc, '..', path);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, text);
  }
}

function numbers(count: number): readonly number[] {
  return Array.from({ length: count }, (_, n) => n);
}

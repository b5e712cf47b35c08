/**
 * What an engine takes to start processes. Arguments: engine, program, runs, at once, MiB of memory that the process has
 * beside; prints the same as spawn-limit, and how many descriptors and zombies there are more than before.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { cLibrary } from '../../src/shared/native/c-library.js';
import { crossSpawnEngine } from '../../src/workers/runner/cross-spawn-engine.js';
import { LauncherEngine } from '../../src/workers/runner/launcher-engine.js';
import { PosixSpawnEngine } from '../../src/workers/runner/posix-spawn-engine.js';
import type { ProcessEngine } from '../../src/workers/runner/started-process.js';
import { programOf } from '../support/program.js';
import { PLUGIN_USER } from '../support/runner-pool.js';

const [, , name, file = '/bin/true', runs = '1000', atOnce = '16', ballastMiB = '0'] = process.argv;
const MEBIBYTE = 2 ** 20;
const ballast = Array.from({ length: Number(ballastMiB) }, () => Buffer.alloc(MEBIBYTE, 1));

const engine = engineOf(name);
const program = programOf({ file, user: PLUGIN_USER });
const descriptorsBefore = descriptors();
const cpuBefore = cpuSecondsOfAll();
const begunAt = performance.now();
let left = Number(runs);
await Promise.all(Array.from({ length: Number(atOnce) }, work));
const seconds = (performance.now() - begunAt) / 1000;
process.stdout.write(
  `${JSON.stringify({
    runs: Number(runs),
    seconds,
    cpuSeconds: cpuSecondsOfAll() - cpuBefore,
    moreDescriptors: descriptors() - descriptorsBefore,
    zombies: zombies(),
    ballastMiB: ballast.length,
  })}\n`,
);

async function work(): Promise<void> {
  while (left > 0) {
    left -= 1;
    await run();
  }
}

async function run(): Promise<void> {
  const start = await engine.start({ program });
  if (start.type === 'failed') throw new Error(start.problem);
  start.process.listen({ stdout: () => undefined, stderr: () => undefined });
  await start.process.exited;
  await start.process.outputsEnded;
}

function engineOf(wanted: string | undefined): ProcessEngine {
  const { library } = cLibrary();
  if (wanted === 'cross-spawn' || library === undefined) return crossSpawnEngine;
  if (wanted === 'launcher') return new LauncherEngine(library);
  return new PosixSpawnEngine(library, (reason) => {
    throw new Error(reason);
  });
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

function zombies(): number {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1').trim();
  return children === '' ? 0 : children.split(' ').length;
}

/** Its own and that of the children whose ends were taken. */
function cpuSecondsOfAll(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

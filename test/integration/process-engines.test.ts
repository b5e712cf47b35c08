import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type CLibrary, cLibrary } from '../../src/shared/native/c-library.js';
import { keepDescriptors } from '../../src/shared/native/descriptors.js';
import { crossSpawnEngine } from '../../src/workers/runner/cross-spawn-engine.js';
import { Launcher } from '../../src/workers/runner/launcher/launcher.js';
import { LauncherEngine } from '../../src/workers/runner/launcher-engine.js';
import { PosixSpawnEngine } from '../../src/workers/runner/posix-spawn-engine.js';
import { followProcess } from '../../src/workers/runner/process-run.js';
import type { ProcessEngine, ProcessExit, StartedProcess } from '../../src/workers/runner/started-process.js';
import { NO_LAUNCHER } from '../support/launcher.js';
import { isAlive } from '../support/processes.js';
import { programOf } from '../support/program.js';
import { waitUntil } from '../support/wait-until.js';

const { library } = cLibrary();

/** The engines that look after their children themselves. */
const ENGINES: readonly (readonly [name: string, open: (library: CLibrary) => ProcessEngine])[] = [
  ['posix_spawn', (found) => new PosixSpawnEngine(found, (reason) => assert.fail(reason))],
  ['launcher', (found) => new LauncherEngine(found)],
  ['launcher, as on old kernels', (found) => new LauncherEngine(found, new Launcher(found, 'old'))],
];

const RUNS = 3000;
const AT_ONCE = 16;

async function start(engine: ProcessEngine, file: string, ...args: readonly string[]) {
  return engine.start({ program: programOf({ file, args }) });
}

async function started(engine: ProcessEngine, script: string): Promise<StartedProcess> {
  const outcome = await start(engine, '/bin/sh', '-c', script);
  assert.equal(outcome.type, 'started');
  return outcome.process;
}

for (const [name, open] of ENGINES) {
  const skip = name.startsWith('launcher')
    ? (NO_LAUNCHER ?? false)
    : library === undefined && 'no C library to call';
  test(
    `${name}: after thousands of runs, good and bad, there is no descriptor and no zombie more`,
    {
      skip,
    },
    () => manyRuns(openEngine(open)),
  );

  test(`${name}: the end of a process is heard whatever happens to its outputs`, { skip }, () =>
    endsAreHeard(openEngine(open)),
  );

  test(`${name}: a process whose stdout is not read waits, and prints the rest when it is`, { skip }, () =>
    unreadOutputWaits(openEngine(open)),
  );

  test(
    `${name}: a program begins with no signal blocked or ignored, and with three descriptors`,
    { skip },
    () => beginsClean(openEngine(open)),
  );

  test(`${name}: a process that ended in time is not timed out by a thread that was held up`, { skip }, () =>
    endsInTime(openEngine(open)),
  );

  test(`${name}: that a program cannot be started is a value that says why`, { skip }, () =>
    failuresAreValues(openEngine(open)),
  );
}

test('cross-spawn: a process that ended in time is not timed out by a thread that was held up', () =>
  endsInTime(crossSpawnEngine));

function openEngine(open: (library: CLibrary) => ProcessEngine): ProcessEngine {
  assert.ok(library);
  // As every runner thread does.
  keepDescriptors(library);
  return open(library);
}

async function manyRuns(engine: ProcessEngine): Promise<void> {
  const before = openDescriptors();
  let left = RUNS;
  const work = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await oneOfManyRuns(engine, left);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  assert.equal(openDescriptors(), before);
  assert.deepEqual(zombies(), []);
}

/** Most end by themselves; some cannot be started, some are not read to the end, some leave a child with their outputs. */
async function oneOfManyRuns(engine: ProcessEngine, number: number): Promise<void> {
  if (number % 50 === 0) {
    assert.equal((await start(engine, '/nowhere/program')).type, 'failed');
    return;
  }
  const outcome =
    number % 50 === 1
      ? await start(engine, '/bin/sh', '-c', 'sleep 0.05 & echo x')
      : await start(engine, '/bin/echo', 'x');
  assert.equal(outcome.type, 'started');
  const { process } = outcome;
  let text = '';
  process.listen({ stdout: (chunk) => (text += chunk), stderr: () => undefined });
  if (number % 50 === 2) process.closeOutputs();
  const { code } = await process.exited;
  await process.outputsEnded;
  if (number % 50 === 2) return;
  assert.deepEqual([code, text], [0, 'x\n']);
}

async function endsAreHeard(engine: ProcessEngine): Promise<void> {
  // Whoever has not left the group by its end goes with it.
  const hasLeft = 'while read -r s </proc/$!/stat; set -- $s; [ $6 = $$ ]; do :; done';
  const holding = await started(engine, `setsid sleep 600 & ${hasLeft}; echo $!; exit 3`);
  let text = '';
  holding.listen({ stdout: (chunk) => (text += chunk), stderr: () => undefined });
  assert.equal((await holding.exited).code, 3);
  const isOpen = await Promise.race([holding.outputsEnded.then(() => false), Promise.resolve(true)]);
  assert.ok(isOpen, 'somebody holds the outputs');
  process.kill(Number(text), 'SIGKILL');
  await holding.outputsEnded;

  const closing = await started(engine, 'exec >&- 2>&-; read -r line </dev/zero');
  closing.listen({ stdout: () => undefined, stderr: () => undefined });
  await closing.outputsEnded;
  closing.killGroup('SIGTERM');
  const exit: ProcessExit = await closing.exited;
  assert.equal(exit.signal, 'SIGTERM');
}

async function unreadOutputWaits(engine: ProcessEngine): Promise<void> {
  const printing = await started(engine, 'head -c 1000000 /dev/zero; echo done >&2');
  let bytes = 0;
  let isDone = false;
  printing.pauseStdout();
  printing.listen({
    stdout: (chunk) => {
      bytes += chunk.length;
    },
    stderr: () => {
      isDone = true;
    },
  });
  await waitUntil(
    'it waits to print',
    () => /pipe/.test(waitsIn(printing.pid)) || blockedChild(printing.pid),
  );
  assert.deepEqual([bytes, isDone], [0, false]);
  printing.resumeStdout();
  await printing.outputsEnded;
  assert.deepEqual([bytes, isDone], [1_000_000, true]);
}

/** Node.js ignores SIGPIPE, and other threads have all kinds of descriptors open. */
async function beginsClean(engine: ProcessEngine): Promise<void> {
  const looking = await started(engine, 'cat /proc/self/status; exec ls /proc/self/fd');
  let text = '';
  looking.listen({ stdout: (chunk) => (text += chunk), stderr: () => undefined });
  await Promise.all([looking.exited, looking.outputsEnded]);
  assert.match(text, /^SigBlk:\t0+$/m);
  assert.match(text, /^SigIgn:\t0+$/m);
  // The last is what ls itself looks into.
  assert.match(text, /\n0\n1\n2\n3\n$/);
}

async function endsInTime(engine: ProcessEngine): Promise<void> {
  const timeoutMs = 50;
  // So that timers are the next that the event loop looks at.
  await nextTurn();
  const process = await started(engine, 'echo in time');
  const end = followProcess(process, { timeoutMs, graceMs: 10_000, maxOutputBytes: 100 });
  const heldUp = new Int32Array(new SharedArrayBuffer(4));
  do Atomics.wait(heldUp, 0, 0, 2 * timeoutMs);
  while (isAlive(process.pid));
  const { endedBy, exit, stdout } = await end;
  assert.deepEqual([endedBy, exit?.code, stdout.toString()], ['itself', 0, 'in time\n']);
}

async function failuresAreValues(engine: ProcessEngine): Promise<void> {
  const wrong = await Promise.all([
    start(engine, '/nowhere/program'),
    start(engine, '/etc/passwd'),
    start(engine, '/bin/echo', 'a\0b'),
    start(engine, '/bin/echo', 'x'.repeat(200_000)),
  ]);
  const values = wrong.map((outcome) => (outcome.type === 'failed' ? outcome.value : outcome.type));
  assert.deepEqual(values, [127, 126, 126, 126]);
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

function zombies(): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((entry) => new RegExp(`^\\d+ \\(.*\\) Z ${process.pid} `).test(statOf(entry)));
}

function statOf(entry: string): string {
  try {
    return readFileSync(`/proc/${entry}/stat`, 'latin1');
  } catch {
    return '';
  }
}

function waitsIn(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/wchan`, 'latin1');
  } catch {
    return '';
  }
}

/** The shell's `head`, when it sleeps. */
function blockedChild(pid: number): boolean {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ');
    return child !== undefined && child !== '' && / \(head\) S /.test(statOf(child));
  } catch {
    return false;
  }
}

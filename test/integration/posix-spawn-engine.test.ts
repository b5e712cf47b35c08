import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { cLibrary } from '../../src/shared/native/c-library.js';
import { PosixSpawnEngine } from '../../src/workers/runner/posix-spawn-engine.js';
import type { ProcessExit, StartedProcess } from '../../src/workers/runner/started-process.js';
import { waitUntil } from '../support/wait-until.js';

const { library } = cLibrary();
const skip = library === undefined && 'the C library cannot be called here';

const RUNS = 3000;
const AT_ONCE = 16;

function openEngine(): PosixSpawnEngine {
  assert.ok(library);
  return new PosixSpawnEngine(library, (reason) => assert.fail(reason));
}

async function start(engine: PosixSpawnEngine, file: string, ...args: readonly string[]) {
  return engine.start({ file, args, folder: '/', environment: { PATH: '/usr/bin:/bin' }, user: undefined });
}

async function started(engine: PosixSpawnEngine, script: string): Promise<StartedProcess> {
  const outcome = await start(engine, '/bin/sh', '-c', script);
  assert.equal(outcome.type, 'started');
  return outcome.process;
}

test('after thousands of runs, good and bad, there is no descriptor and no zombie more', {
  skip,
}, async () => {
  const engine = openEngine();
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
});

/** Most end by themselves; some cannot be started, some are not read to the end, some leave a child with their outputs. */
async function oneOfManyRuns(engine: PosixSpawnEngine, number: number): Promise<void> {
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

test('the end of a process is heard whatever happens to its outputs', { skip }, async () => {
  const engine = openEngine();
  const holding = await started(engine, 'setsid sleep 600 & echo $!; exit 3');
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
});

test('a process whose stdout is not read waits, and prints the rest when it is', { skip }, async () => {
  const engine = openEngine();
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
});

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

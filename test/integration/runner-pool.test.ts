import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, type TestContext } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { childrenOfRow, createChildTable, rowCount } from '../../src/shared/child-table.js';
import { createDescriptorLedger } from '../../src/shared/native/descriptor-ledger.js';
import { createNoticeTimes } from '../../src/shared/notice-times.js';
import { createRing } from '../../src/shared/ring/layout.js';
import { RunnerPool } from '../../src/supervisor/plugins/runner-pool.js';
import { RUNS_BEFORE_NEXT_WORKER } from '../../src/supervisor/plugins/worker-choice.js';
import { shellPlugin } from '../support/plugin-folder.js';
import { runIn } from '../support/pool-run.js';
import { recordingLog } from '../support/recording-log.js';
import { runTask } from '../support/runner-pool.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

/** So many tasks in a worker make the pool start another one. */
const TASKS_OF_A_WORKER = RUNS_BEFORE_NEXT_WORKER + 1;

// The threads of the pool, and what they say, keep no process alive.
const alive = setInterval(() => {}, 60_000);
after(() => clearInterval(alive));

function openPool(t: TestContext, maxThreads: number, idleTimeoutMs?: number) {
  const lanes = 1 + 2 * maxThreads;
  const childTable = createChildTable(lanes);
  const pool = new RunnerPool({
    setup: {
      ring: createRing(lanes, 1024 * 1024),
      childTable,
      descriptorLedger: createDescriptorLedger(lanes),
      noticeTimes: createNoticeTimes(),
      engine: 'auto',
      allowSetuid: false,
      firstLane: 1,
      host: 'testhost',
      databasePrefix: '',
      maxDocumentBytes: 300_000,
      logLevel: 'debug',
    },
    maxThreads,
    maxInputBytes: 1_000_000,
    log: recordingLog().log,
    acceptLine: () => undefined,
    ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
  });
  t.after(() => pool.close());
  const running = () =>
    Array.from({ length: rowCount(childTable) }, (_, row) => childrenOfRow(childTable, row)).flat().length;
  return { pool, running };
}

test('the pool grows with what there is to do, shrinks to one thread when idle, and grows again', async (t) => {
  const threads = 3;
  const { pool, running } = openPool(t, threads, 50);
  const scratch = temporaryFolder(t);
  for (const round of [1, 2]) {
    const gate = join(scratch, `gate${round}`);
    const folder = shellPlugin(t, `while [ ! -e ${gate} ]; do sleep 0.05; done; echo "[]"`);
    const count = threads * TASKS_OF_A_WORKER;
    const runs = Array.from({ length: count }, (_, index) =>
      runIn(pool, runTask({ folder, runId: index + 1, timeoutMs: 60_000 })),
    );
    await waitUntil('all of them run', () => running() === count);
    assert.equal(pool.threads, threads);
    writeFileSync(gate, '');
    assert.deepEqual(new Set((await Promise.all(runs)).map(({ status }) => status)), new Set(['ok']));
    await waitUntil('one thread is left', () => pool.threads === 1);
  }
  assert.equal((await runIn(pool, runTask({ folder: shellPlugin(t, 'echo "[]"') }))).status, 'ok');
});

test('hanging plugins cost no worker: the only one runs others meanwhile', async (t) => {
  const { pool, running } = openPool(t, 1);
  const hanging = shellPlugin(t, "trap '' TERM", 'sleep 600 & wait');
  const hung = Array.from({ length: 20 }, (_, index) =>
    runIn(pool, runTask({ folder: hanging, runId: index + 1, timeoutMs: 60_000 })),
  );
  await waitUntil('all of them hang', () => running() === 20);
  const quick = shellPlugin(t, 'echo "[]"');
  for (let run = 0; run < 5; run += 1) {
    assert.equal((await runIn(pool, runTask({ folder: quick, runId: 100 + run }))).status, 'ok');
  }
  assert.equal(pool.threads, 1);
  assert.equal(running(), 20);
  pool.signalAll('SIGKILL');
  assert.deepEqual(new Set((await Promise.all(hung)).map(({ status }) => status)), new Set(['signal']));
});

test('a run that was due says how late its process started; one that nobody planned does not', async (t) => {
  const { pool } = openPool(t, 1);
  const folder = shellPlugin(t, 'echo "[]"');
  const late = await runIn(pool, runTask({ folder, dueAtMs: Date.now() - 4000 }));
  assert.ok((late.latenessMs ?? 0) >= 4000, `${late.latenessMs}`);
  assert.equal((await runIn(pool, runTask({ folder }))).latenessMs, undefined);
});

test('a worker in place of one that died is told again how scheduled runs are done', async (t) => {
  const workers: Worker[] = [];
  const note = (worker: Worker) => workers.push(worker);
  process.on('worker', note);
  t.after(() => process.off('worker', note));
  const { pool, running } = openPool(t, 1);
  const gate = join(temporaryFolder(t), 'gate');
  const folder = shellPlugin(t, `[ -e ${gate} ] || exec sleep 600; echo "[]"; echo trouble >&2`);
  const { runId: _, dueAtMs: __, ...task } = runTask({ folder, timeoutMs: 60_000 });
  const plan = { key: 'shop/check', task };
  const run = (runId: number) => runIn(pool, { plan, runId, dueAtMs: Date.now() });

  const lost = run(1);
  await waitUntil('it runs', () => running() === 1);
  await Promise.all([assert.rejects(lost), workers.at(-1)?.terminate()]);
  writeFileSync(gate, '');
  for (const runId of [2, 3]) {
    const { latenessMs, durationMs, ...summary } = await run(runId);
    assert.ok(latenessMs !== undefined && durationMs >= 0);
    // What nobody reads is not told.
    assert.deepEqual(summary, { status: 'ok', value: 0, points: 0, problem: undefined });
  }
});

test('a worker that dies takes along its own runs only; those of the others, and those that come, are done', async (t) => {
  const workers: Worker[] = [];
  const note = (worker: Worker) => workers.push(worker);
  process.on('worker', note);
  t.after(() => process.off('worker', note));
  const { pool, running } = openPool(t, 2);
  const gate = join(temporaryFolder(t), 'gate');
  const folder = shellPlugin(t, `while [ ! -e ${gate} ]; do sleep 0.05; done; echo "[]"`);
  const run = (runId: number) => runIn(pool, runTask({ folder, runId, timeoutMs: 60_000 }));

  const runs = Array.from({ length: TASKS_OF_A_WORKER }, (_, index) => run(index + 1));
  await waitUntil('all of them run', () => running() === TASKS_OF_A_WORKER);
  const ends = Promise.allSettled(runs);
  await workers[0]?.terminate();
  const late = run(TASKS_OF_A_WORKER + 1);
  writeFileSync(gate, '');
  const statuses = (await ends).map(({ status }) => status);
  assert.deepEqual(statuses, [...Array(RUNS_BEFORE_NEXT_WORKER).fill('rejected'), 'fulfilled']);
  assert.equal((await late).status, 'ok');
});

test('runs that come one by one, each about when a shift ends, are all done', async (t) => {
  const { pool } = openPool(t, 1, 1);
  const folder = shellPlugin(t, 'echo "[]"');
  for (let runId = 1; runId <= 40; runId += 1) {
    assert.equal((await runIn(pool, runTask({ folder, runId }))).status, 'ok');
  }
});

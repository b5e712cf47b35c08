/**
 * A spool against a model: random appends, reads, acknowledgements, restarts and crashes, thousands of steps. A
 * crash is a copy of the folder as it is at that moment, cut or damaged at a random byte.
 * The seed is printed; `SPOOL_SEED=n` plays the same steps again, `SPOOL_STEPS=n` more or fewer of them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { temporaryFolder } from '../support/temporary-folder.js';
import { ModelRun } from './spool-model-run.js';

const STEPS = Number(process.env.SPOOL_STEPS ?? 2500);
const SEED = Number(process.env.SPOOL_SEED ?? 7);

test(`${STEPS} random steps and crashes agree with the model (SPOOL_SEED=${SEED})`, async (context) => {
  const run = new ModelRun(memoryFolder(context), SEED);
  context.after(() => run.end());
  await run.open();
  for (let step = 0; step < STEPS; step += 1) {
    try {
      await run.step();
    } catch (error) {
      throw new Error(`step ${step} of SPOOL_SEED=${SEED} (${run.lastAction}): ${String(error)}`, {
        cause: error,
      });
    }
  }
  context.diagnostic(`${JSON.stringify(run.done)}`);
});

/** Thousands of files come and go: in memory where the system has a folder for that. */
function memoryFolder(context: TestContext): string {
  try {
    const folder = mkdtempSync('/dev/shm/agent-test-');
    context.after(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  } catch {
    return temporaryFolder(context);
  }
}

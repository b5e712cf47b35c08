/**
 * The long form, `make chaos`: many schedules, one after another. CHAOS_RUNS schedules (20) of CHAOS_SECONDS (15) each;
 * CHAOS_SEED plays the one of this seed. Exit status 1 when anything was lost or went wrong.
 */
import { CleanUp } from '../support/clean-up.js';
import { nsqdSkipReason } from '../support/nsqd.js';
import { describeReport, describeSchedule, failuresOf, table } from './chaos-report.js';
import { type ChaosReport, runSchedule } from './chaos-run.js';
import { drawSchedule } from './schedule.js';

const { CHAOS_SEED, CHAOS_RUNS = '20', CHAOS_SECONDS = '15' } = process.env;

if (nsqdSkipReason !== false) throw new Error(nsqdSkipReason);
if (process.getuid?.() !== 0) console.log('Not root, so no disk can be mounted: none is filled.');

const first = Number(CHAOS_SEED || Math.floor(Math.random() * 1_000_000));
const runs = CHAOS_SEED ? 1 : Number(CHAOS_RUNS);
const reports: ChaosReport[] = [];
let failed = 0;
let cleanUp = new CleanUp();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void cleanUp.run().finally(() => process.exit(1)));
}

for (let seed = first; seed < first + runs; seed += 1) {
  const schedule = drawSchedule(seed, Number(CHAOS_SECONDS));
  console.log(describeSchedule(schedule));
  cleanUp = new CleanUp();
  try {
    const report = await runSchedule(schedule, cleanUp);
    reports.push(report);
    console.log(`  ${describeReport(report)}`);
    const failures = failuresOf(report);
    for (const failure of failures) console.log(`  FAILED: ${failure}`);
    for (const line of report.badLines.slice(0, 10)) console.log(`  the agent's log: ${line}`);
    if (failures.length > 0) failed += 1;
  } catch (thrown) {
    failed += 1;
    console.log(`  FAILED: ${thrown instanceof Error ? thrown.stack : thrown}`);
  }
}

console.log(`\n${table(reports)}`);
if (failed > 0) console.log(`\n${failed} of ${runs} schedules failed`);
process.exitCode = failed > 0 ? 1 : 0;

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsqdSkipReason } from '../support/nsqd.js';
import { describeReport, describeSchedule, failuresOf } from './chaos-report.js';
import { runSchedule } from './chaos-run.js';
import { drawSchedule } from './schedule.js';

/** The short form: `make chaos` is the long one, and replays a schedule by its seed and seconds. */
const SECONDS = 6;
const SCHEDULES = 4;
const FIRST_SEED = Number(process.env.CHAOS_SEED || Math.floor(Math.random() * 1_000_000));

for (let place = 0; place < SCHEDULES; place += 1) {
  const schedule = drawSchedule(FIRST_SEED + place, SECONDS);
  const kills = schedule.killsAgent ? 'and the agent is killed' : 'and the agent is restarted';
  test(`nothing accepted is lost in mode ${schedule.mode}, whatever happens to nsqd, connections and disk, ${kills} (${place + 1})`, {
    skip: nsqdSkipReason,
  }, async (t) => {
    t.diagnostic(describeSchedule(schedule));
    const report = await runSchedule(schedule);
    t.diagnostic(describeReport(report));
    const badLines = report.badLines.slice(0, 10);
    for (const line of badLines) t.diagnostic(line);
    const failures = failuresOf(report);
    // With all that is known: the diagnostics may be far from here, and the folders are gone.
    const told = [...failures, describeSchedule(schedule), describeReport(report), ...badLines].join('\n');
    assert.equal(failures.length, 0, told);
    assert.ok(report.accepted > 0, 'some points were accepted');
  });
}

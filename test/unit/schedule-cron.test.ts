import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Schedule } from '../../src/supervisor/schedule/schedule.js';
import { ManualClock } from '../support/manual-clock.js';
import { recordingLog } from '../support/recording-log.js';

/** Local time, as cron expressions mean it. */
const WALL = new Date(2031, 4, 6, 7, 8, 9, 123).getTime();
const MINUTE = 60_000;

/** A schedule whose clock is also what `Date` says, and the local times of the runs it began. */
function setUp(test: TestContext) {
  test.mock.timers.enable({ apis: ['Date'], now: WALL });
  const clock = new ManualClock(WALL, 5_000, (wallMs) => test.mock.timers.setTime(Math.floor(wallMs)));
  const began: number[] = [];
  const { log, lines } = recordingLog();
  const schedule = new Schedule({ host: 'h', run: () => void began.push(clock.wallMs()), log, clock });
  test.after(() => schedule.close());
  return { schedule, clock, began, lines };
}

function cron(expression: string) {
  return { kind: 'cron', expression } as const;
}

describe('schedule with cron expressions', () => {
  it('runs at the times of the expression', (test) => {
    const { schedule, clock, began } = setUp(test);
    schedule.set('a', cron('*/5 * * * *'));
    assert.deepEqual(schedule.nextRunAt('a'), new Date(2031, 4, 6, 7, 10));
    clock.pass(16 * MINUTE);
    const expected = [10, 15, 20].map((minute) => new Date(2031, 4, 6, 7, minute).getTime());
    assert.deepEqual(began.map(Math.round), expected);
  });

  it('knows seconds, names and the same expression again', (test) => {
    const { schedule, clock, began } = setUp(test);
    schedule.set('a', cron('*/10 * * * * *'));
    schedule.set('daily', cron('@daily'));
    clock.pass(MINUTE);
    assert.equal(began.length, 6);
    schedule.set('a', cron('*/10 * * * * *'));
    schedule.set('a', cron('0 0 1 1 *'));
    clock.pass(MINUTE);
    assert.equal(began.length, 6);
    assert.deepEqual(schedule.nextRunAt('daily'), new Date(2031, 4, 7));
  });

  it('runs once after a sleep, then at the next time of the expression', (test) => {
    const { schedule, clock, began } = setUp(test);
    schedule.set('a', cron('* * * * * *'));
    clock.sleep(8 * 3_600_000);
    assert.equal(began.length, 1);
    clock.pass(5_000);
    assert.equal(began.length, 6);
  });

  it('runs once when the clock is set forth over its time, however far', (test) => {
    const { schedule, clock, began } = setUp(test);
    schedule.set('a', cron('0 8 * * *'));
    clock.setWall(new Date(2041, 4, 6, 7, 30).getTime());
    clock.pass(2 * MINUTE);
    assert.equal(began.length, 1);
    clock.pass(60 * MINUTE);
    assert.equal(began.length, 2);
  });

  it('goes by the new time when the clock is set back', (test) => {
    const { schedule, clock, began } = setUp(test);
    schedule.set('a', cron('0 * * * *'));
    clock.pass(60 * MINUTE);
    assert.equal(began.length, 1);
    clock.setWall(new Date(2030, 0, 1, 11, 50).getTime());
    clock.pass(5 * MINUTE);
    assert.equal(began.length, 1);
    assert.deepEqual(schedule.nextRunAt('a'), new Date(2030, 0, 1, 12, 0));
    clock.pass(10 * MINUTE);
    assert.equal(began.length, 2);
  });

  it('does not run a time twice when the wall clock goes a little slower', (test) => {
    const { schedule, clock, began } = setUp(test);
    schedule.set('a', cron('*/5 * * * *'));
    for (let minute = 0; minute < 60; minute += 1) {
      clock.pass(MINUTE);
      clock.setWall(clock.wallMs() - 40);
    }
    assert.equal(new Set(began.map((at) => Math.floor(at / (5 * MINUTE)))).size, began.length);
    assert.ok(began.length >= 11 && began.length <= 12);
  });

  it('says which plugin has a wrong expression, and runs the others', (test) => {
    const { schedule, clock, began, lines } = setUp(test);
    for (const wrong of ['', 'often', '61 * * * *', '0 0 30 2 *', '* * * * * * *']) {
      schedule.set(`wrong ${wrong}`, cron(wrong));
    }
    schedule.set('a', cron('* * * * *'));
    clock.pass(MINUTE);
    assert.equal(began.length, 1);
    assert.equal(lines.length, 5);
    for (const line of lines) assert.match(line.message, /^plugin wrong .* will not run: ./);
  });

  it('stops when it is removed', (test) => {
    const { schedule, clock, began } = setUp(test);
    schedule.set('a', cron('* * * * *'));
    schedule.remove('a');
    clock.pass(5 * MINUTE);
    assert.equal(began.length, 0);
    assert.equal(clock.timers, 0);
  });
});

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { phaseMs } from '../../src/supervisor/schedule/phase.js';
import { Schedule } from '../../src/supervisor/schedule/schedule.js';
import { ManualClock } from '../support/manual-clock.js';
import { recordingLog } from '../support/recording-log.js';
import { waitUntil } from '../support/wait-until.js';

const WALL = Date.UTC(2031, 4, 6, 7, 8, 9, 123);

interface Run {
  readonly key: string;
  readonly dueAtMs: number;
  readonly beganAtMs: number;
}

/** A schedule on a clock of the test's, and the runs it began. */
function setUp(test: TestContext, clock = new ManualClock(WALL), host = 'host-1') {
  const runs: Run[] = [];
  const { log, lines } = recordingLog();
  const during = new Map<string, () => void>();
  const run = (key: string, dueAtMs: number) => {
    runs.push({ key, dueAtMs, beganAtMs: clock.wallMs() });
    during.get(key)?.();
  };
  const schedule = new Schedule({ host, run, log, clock });
  test.after(() => schedule.close());
  return { schedule, clock, runs, lines, during };
}

function every(seconds: number) {
  return { kind: 'every', seconds } as const;
}

describe('schedule', () => {
  it('runs a plugin first within its interval, at a phase that is the same after a restart', (test) => {
    const first = setUp(test);
    first.schedule.set('shop/check', every(60));
    const firstAt = first.schedule.nextRunAt('shop/check')?.getTime() ?? 0;
    assert.ok(firstAt >= WALL && firstAt < WALL + 60_000);
    assert.equal(firstAt % 60_000, phaseMs('host-1', 'shop/check', 60_000));

    const later = setUp(test, new ManualClock(WALL + 7_654_321, 17));
    later.schedule.set('shop/check', every(60));
    const laterAt = later.schedule.nextRunAt('shop/check')?.getTime() ?? 0;
    assert.equal(laterAt % 60_000, firstAt % 60_000);
    assert.ok(laterAt >= WALL + 7_654_321 && laterAt < WALL + 7_654_321 + 60_000);
  });

  it('begins what comes due soon after other runs together, a moment later', (test) => {
    const { schedule, clock, runs } = setUp(test);
    const keys = Array.from({ length: 200 }, (_, index) => `shop/check${index}`);
    for (const key of keys) schedule.set(key, every(1));
    clock.pass(3000);
    assert.ok(runs.length >= 2 * keys.length, `${runs.length} runs`);
    const moments = new Set(runs.map(({ beganAtMs }) => beganAtMs));
    // One every 25 ms at most.
    assert.ok(moments.size <= 3000 / 25 + 1, `${moments.size} moments`);
    for (const { dueAtMs, beganAtMs } of runs) assert.ok(beganAtMs - dueAtMs <= 26, `${beganAtMs - dueAtMs}`);
  });

  it('keeps to its slots without drift, however late the timers are', (test) => {
    const { schedule, clock, runs } = setUp(test);
    schedule.set('a', every(10));
    for (let turn = 0; turn < 1000; turn += 1) {
      clock.sleep(3_333.3);
      clock.pass(1);
    }
    const slots = runs.map((run) => Math.round(run.dueAtMs));
    assert.ok(runs.length >= 333 && runs.length <= 334, `${runs.length} runs`);
    assert.deepEqual(
      slots,
      slots.map((_, index) => (slots[0] ?? 0) + index * 10_000),
    );
  });

  it('begins no run before its time', (test) => {
    const { schedule, clock, runs } = setUp(test);
    for (let index = 0; index < 50; index += 1) schedule.set(`p${index}`, every(1 + index / 7));
    for (let turn = 0; turn < 200; turn += 1) clock.pass(97.7);
    assert.ok(runs.length > 100);
    for (const run of runs) assert.ok(run.beganAtMs >= run.dueAtMs - 0.001);
  });

  it('leads to one run after a long block or sleep, then to the next regular slot', (test) => {
    const { schedule, clock, runs } = setUp(test);
    schedule.set('a', every(10));
    schedule.set('b', every(7));
    clock.pass(30_000);
    const regular = runs.find((run) => run.key === 'a')?.dueAtMs ?? 0;
    runs.length = 0;

    clock.sleep(8 * 3_600_000);
    assert.deepEqual(runs.map((run) => run.key).sort(), ['a', 'b']);
    runs.length = 0;
    clock.pass(20_000);
    const again = runs.filter((run) => run.key === 'a').map((run) => run.dueAtMs);
    assert.equal(again.length, 2);
    assert.equal(Math.round((again[0] ?? 0) - regular) % 10_000, 0);
  });

  it('does not care for a wall clock that is set forth or back', (test) => {
    const { schedule, clock, runs } = setUp(test);
    schedule.set('a', every(10));
    clock.pass(25_000);
    const before = runs.length;
    for (const jumpMs of [86_400_000, -3 * 86_400_000, 400 * 86_400_000, -1]) {
      runs.length = 0;
      clock.setWall(clock.wallMs() + jumpMs);
      clock.pass(0);
      assert.equal(runs.length, 0);
      clock.pass(100_000);
      assert.equal(runs.length, 10);
    }
    assert.ok(before >= 2);
  });

  it('spreads the plugins of a host, and a plugin over the hosts', () => {
    const plugins = Array.from({ length: 5000 }, (_, index) =>
      phaseMs('host-1', `shop/check-${index}`, 10_000),
    );
    const hosts = Array.from({ length: 5000 }, (_, index) => phaseMs(`host-${index}`, 'shop/check', 10_000));
    for (const phases of [plugins, hosts]) {
      const perSecond = new Array<number>(10).fill(0);
      for (const phase of phases) {
        assert.ok(phase >= 0 && phase < 10_000);
        const second = Math.floor(phase / 1000);
        perSecond[second] = (perSecond[second] ?? 0) + 1;
      }
      for (const count of perSecond) assert.ok(count > 400 && count < 600, `${count} of 5000 in one tenth`);
    }
  });

  it('keeps the phase when the same interval is set again, and takes a changed one at once', (test) => {
    const { schedule, clock, runs } = setUp(test);
    schedule.set('a', every(3600));
    const first = schedule.nextRunAt('a');
    clock.pass(1);
    schedule.set('a', every(3600));
    assert.equal(schedule.nextRunAt('a')?.getTime(), first?.getTime());

    schedule.set('a', every(5));
    clock.pass(20_000);
    assert.equal(runs.length, 4);
    schedule.set('a', { kind: 'on-demand' });
    assert.equal(schedule.nextRunAt('a'), undefined);
    clock.pass(7_200_000);
    assert.equal(runs.length, 4);
    assert.equal(clock.timers, 0);
  });

  it('runs a removed plugin never again, even when its own run removes it', (test) => {
    const { schedule, clock, runs, during } = setUp(test);
    schedule.set('a', every(5));
    schedule.set('b', every(5));
    during.set('a', () => schedule.remove('a'));
    clock.pass(20_000);
    assert.equal(runs.filter((run) => run.key === 'a').length, 1);
    assert.equal(runs.filter((run) => run.key === 'b').length, 4);
    schedule.remove('b');
    schedule.remove('never-there');
    clock.pass(20_000);
    assert.equal(runs.length, 5);
  });

  it('takes a new interval that a run sets for itself, and plugins that it adds', (test) => {
    const { schedule, clock, runs, during } = setUp(test);
    schedule.set('a', every(5));
    during.set('a', () => {
      schedule.set('a', every(10));
      schedule.set('b', every(1));
    });
    clock.pass(5_000);
    runs.length = 0;
    clock.pass(20_000);
    assert.equal(runs.filter((run) => run.key === 'a').length, 2);
    assert.equal(runs.filter((run) => run.key === 'b').length, 20);
  });

  it('logs what a run throws or rejects with, and runs the others', async (test) => {
    const clock = new ManualClock(WALL);
    const { log, lines } = recordingLog();
    const begun: string[] = [];
    const run = (key: string): void | Promise<void> => {
      begun.push(key);
      if (key === 'throws') throw new Error('no room');
      if (key === 'rejects') return Promise.reject(new Error('no pool'));
    };
    const schedule = new Schedule({ host: 'h', run, log, clock });
    test.after(() => schedule.close());
    for (const key of ['throws', 'rejects', 'fine']) schedule.set(key, every(1));
    clock.pass(2_000);
    await sleep(0);
    assert.equal(begun.length, 6);
    assert.equal(
      lines.filter((line) => line.message === 'run of plugin throws could not begin: no room').length,
      2,
    );
    assert.equal(
      lines.filter((line) => line.message === 'run of plugin rejects could not begin: no pool').length,
      2,
    );
  });

  it('needs one timer and little work for 5,000 plugins', (test) => {
    const { schedule, clock, runs } = setUp(test);
    for (let index = 0; index < 5000; index += 1) schedule.set(`p${index}`, every(10));
    assert.equal(clock.timers, 1);
    clock.pass(20_010);
    assert.equal(runs.filter(({ dueAtMs }) => dueAtMs < WALL + 19_999.5).length, 10_000);
    assert.equal(clock.timers, 1);
  });

  it('leaves room for other events when thousands are due at once', (test) => {
    const clock = new ManualClock(WALL);
    let begun = 0;
    let most = 0;
    const schedule = new Schedule({
      host: 'h',
      run: () => {
        begun += 1;
      },
      log: recordingLog().log,
      clock,
    });
    test.after(() => schedule.close());
    for (let index = 0; index < 5000; index += 1) schedule.set(`p${index}`, every(3600));
    const original = clock.setTimer.bind(clock);
    let last = 0;
    clock.setTimer = (callback, delayMs) => {
      most = Math.max(most, begun - last);
      last = begun;
      return original(callback, delayMs);
    };
    clock.sleep(86_400_000);
    assert.equal(begun, 5000);
    assert.ok(most <= 100, `${most} runs begun without a pause`);
  });

  it('waits for an interval that is longer than a timer can be set for', (test) => {
    const { schedule, clock, runs } = setUp(test);
    const days = 60 * 86_400;
    schedule.set('rare', every(days));
    const at = schedule.nextRunAt('rare')?.getTime() ?? 0;
    clock.pass(at - WALL - 1);
    assert.equal(runs.length, 0);
    clock.pass(1);
    assert.equal(runs.length, 1);
  });

  it('refuses intervals that make no sense, in the log', (test) => {
    const { schedule, clock, lines } = setUp(test);
    for (const seconds of [0, -5, Number.NaN, Number.POSITIVE_INFINITY])
      schedule.set(`p${seconds}`, every(seconds));
    assert.equal(lines.filter((line) => line.level === 'error').length, 4);
    assert.equal(clock.timers, 0);
  });

  it('runs nothing after close', (test) => {
    const { schedule, clock, runs } = setUp(test);
    schedule.set('a', every(1));
    schedule.close();
    schedule.set('b', every(1));
    clock.pass(10_000);
    assert.equal(runs.length, 0);
    assert.equal(clock.timers, 0);
  });

  it('runs on the real clock of the machine', async (test) => {
    let begun = 0;
    const schedule = new Schedule({
      host: 'h',
      run: () => {
        begun += 1;
      },
      log: recordingLog().log,
    });
    test.after(() => schedule.close());
    schedule.set('a', every(0.02));
    await waitUntil('the plugin ran three times', () => begun >= 3);
  });
});

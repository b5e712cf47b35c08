import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { machineClock } from '../../src/supervisor/schedule/clock.js';

function setUp() {
  const times = { steady: 40_000, uptime: 900_000 };
  const clock = machineClock({ steadyMs: () => times.steady, uptimeMs: () => times.uptime });
  return { times, clock };
}

describe('clock of the machine', () => {
  it('goes with the steady clock', () => {
    const { times, clock } = setUp();
    const before = clock.monotonicMs();
    for (let second = 0; second < 100; second += 1) {
      times.steady += 1000;
      times.uptime += 1010 - (second % 2) * 20;
      assert.equal(clock.monotonicMs(), before + (second + 1) * 1000);
    }
  });

  it('counts the time that the machine was suspended', () => {
    const { times, clock } = setUp();
    const before = clock.monotonicMs();
    times.steady += 5_000;
    times.uptime += 5_000 + 3_600_000;
    assert.equal(clock.monotonicMs(), before + 3_605_000);
    times.steady += 5_000;
    times.uptime += 5_000;
    assert.equal(clock.monotonicMs(), before + 3_610_000);
  });

  it('never goes back, even when the uptime does', () => {
    const { times, clock } = setUp();
    const before = clock.monotonicMs();
    times.steady += 5_000;
    times.uptime = 12;
    assert.equal(clock.monotonicMs(), before + 5_000);
    times.steady += 5_000;
    times.uptime += 5_000;
    assert.equal(clock.monotonicMs(), before + 10_000);
  });
});

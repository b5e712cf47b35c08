import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { askTime } from '../../src/workers/host/sntp.js';
import { hostType as time } from '../../src/workers/host/types/time.js';
import { RecordedHost, RecordedRounds, valuesOf } from '../support/recorded-host.js';
import { type SntpAnswer, SntpServer } from '../support/sntp-server.js';
import { waitUntil } from '../support/wait-until.js';

/** Clocks are read one after the other, and the machine may be busy in between. */
const TOLERANCE_SECONDS = 2;

const PATIENCE_MS = 20_000;

describe('a question to an NTP server', () => {
  for (const offset of [0, 3600, -86_400, 20 * 365 * 86_400]) {
    it(`finds out that its clock is ${offset} s from ours`, async (t) => {
      const server = await SntpServer.start(t, { offset });
      const answer = await askTime(server.address, PATIENCE_MS);
      assert.ok(answer.type === 'time');
      assert.ok(Math.abs(answer.offsetSeconds - offset) < TOLERANCE_SECONDS, `${answer.offsetSeconds}`);
    });
  }

  it('is one of a client of version 4, and gives nothing of ours away', async (t) => {
    const server = await SntpServer.start(t);
    await askTime(server.address, PATIENCE_MS);
    const [question] = server.questions;
    assert.equal(question?.length, 48);
    assert.equal(question?.[0], 0x23);
    assert.ok(question?.subarray(1, 40).every((byte) => byte === 0));
  });

  const useless: readonly (readonly [string, SntpAnswer, RegExp])[] = [
    ['an unsynchronized clock', { leap: 3 }, /not synchronized/],
    ['stratum 16', { stratum: 16 }, /stratum 16/],
    ['no time', { withoutTime: true }, /without a time/],
    ['an uncertain time', { rootDelay: 2 }, /too uncertain/],
  ];
  for (const [what, answer, reason] of useless) {
    it(`makes nothing of ${what}`, async (t) => {
      const server = await SntpServer.start(t, answer);
      await assert.rejects(askTime(server.address, PATIENCE_MS), { code: 'ntp', message: reason });
    });
  }

  for (const answer of [{ forged: true }, { mode: 3 }, { length: 47 }, { silent: true }]) {
    it(`does not take ${JSON.stringify(answer)} for an answer`, async (t) => {
      const server = await SntpServer.start(t, answer);
      await assert.rejects(askTime(server.address, 300), {
        code: 'ntp',
        message: /does not answer within 0.3 s/,
      });
      // On a busy machine it may be given up before it arrives.
      await waitUntil('it was asked', () => server.questions.length > 0);
      assert.equal(server.questions.length, 1);
    });
  }

  it('hears that the server wants no more of them', async (t) => {
    const server = await SntpServer.start(t, { stratum: 0, reference: 'RATE' });
    assert.deepEqual(await askTime(server.address, PATIENCE_MS), { type: 'refusal', code: 'RATE' });
  });

  it('names a host that cannot be found', async () => {
    await assert.rejects(askTime('ntp.invalid:123', PATIENCE_MS), {
      code: 'ntp',
      message: /^ntp\.invalid:123/,
    });
  });
});

describe('TIME', () => {
  it('sends the middle one of three servers', async (t) => {
    const offsets = [7200, 0, -3600, 99_999];
    const servers = await Promise.all(offsets.map((offset) => SntpServer.start(t, { offset })));
    const [point] = await rounds(t).round(300, settings(servers));
    assert.equal(point?.name, 'time.offset');
    assert.ok(Math.abs(point?.value ?? 99) < TOLERANCE_SECONDS, `${point?.value}`);
    assert.deepEqual(
      servers.map(({ questions }) => questions.length),
      [1, 1, 1, 0],
    );
  });

  it('asks another one where one is of no use, and a single one three times', async (t) => {
    const bad = await SntpServer.start(t, { leap: 3 });
    const good = await SntpServer.start(t, { offset: 100 }, { offset: 9000 }, { offset: 100 });
    const [point] = await rounds(t).round(300, settings([bad, good]));
    assert.ok(Math.abs((point?.value ?? 0) - 100) < TOLERANCE_SECONDS, `${point?.value}`);
    assert.deepEqual([bad.questions.length, good.questions.length], [1, 3]);
  });

  it('sends nothing when none is of use, and leaves those alone that ask for it', async (t) => {
    const server = await SntpServer.start(t, { stratum: 0, reference: 'DENY' });
    const asked = rounds(t);
    assert.deepEqual(valuesOf(await asked.round(300, settings([server]))), {});
    assert.deepEqual(valuesOf(await asked.round(300, settings([server]))), {});
    assert.equal(server.questions.length, 1);
    assert.match(asked.warnings[0] ?? '', /none of the NTP servers .* says the time: .*DENY/);
    await asked.round(3600, settings([server]));
    assert.equal(server.questions.length, 2);
  });
});

function rounds(t: TestContext) {
  return new RecordedRounds(time, new RecordedHost(t, 'vm').places);
}

function settings(servers: readonly SntpServer[]) {
  return { settings: { ntpServers: servers.map(({ address }) => address) } };
}

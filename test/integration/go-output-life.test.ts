import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { GoFeeds, readLines } from '../support/go-feed.js';
import { builtGoOutput, goSkipReason } from '../support/go-outputs.js';
import { upTo } from '../support/numbered-points.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const options = { skip: goSkipReason };

/** Where an end must be complete, however busy the machine is. */
const PATIENT = { graceMs: 60_000 };

test(
  'the form without context lives through every call, in order, once or for each instance',
  options,
  async (t) => {
    const calls = join(temporaryFolder(t), 'calls');
    const library = builtGoOutput('noctx');
    const hostEnvironment = { NOCTX_CALLS: calls };
    const go = new GoFeeds(t, [
      { ...PATIENT, alias: 'one', library, pluginName: 'NoCtx', hostEnvironment },
      { ...PATIENT, alias: 'two', library, hostEnvironment, match: 'nothing' },
    ]);
    go.take([1, 2, 3]);
    await waitUntil('it is settled', () => go.secured.length === 2 && go.status(0).deliveredPoints === 3);
    await waitUntil('the other is there, too', () => go.plugin(1).state === 'running');
    await go.close(PATIENT.graceMs);
    const noted = readLines(calls);
    assert.deepEqual(noted.slice(0, 4), ['preregister 0', 'register', 'init one', 'prerun 0']);
    assert.deepEqual(ascendingTexts(noted.slice(4, 6)), ['flush collect.web.shop 3', 'init two']);
    assert.deepEqual(noted.slice(6), ['preexit 0', 'exit', 'unregister']);
  },
);

test(
  'instances of a library share its process, and each has its own context, till each has its exit',
  options,
  async (t) => {
    const go = new GoFeeds(t, [
      { ...PATIENT, alias: 'one' },
      { ...PATIENT, alias: 'two', topicPrefix: 'other.' },
    ]);
    go.take([1]);
    await waitUntil('both have it', () => go.secured.length === 2);
    assert.deepEqual(
      [go.events('one')[0]?.tag, go.events('two')[0]?.tag],
      ['collect.web.shop', 'other.web.shop'],
    );
    assert.equal(go.plugin(0).pid, go.plugin(1).pid);
    await go.close(PATIENT.graceMs);
    const exits = go.calls().filter((call) => call.includes(' exit'));
    assert.deepEqual(
      exits.map((call) => call.split(' ')[0]),
      ['one', 'two'],
    );
  },
);

test(
  'keys that the host keeps are answered with nothing and one warning each; others compare without case',
  options,
  async (t) => {
    const reservedKeys = ['match', 'alias', 'workers', 'storage.type', 'tls.verify', 'tag'];
    const go = new GoFeeds(t, [
      {
        reservedKeys,
        properties: {
          ...Object.fromEntries(reservedKeys.map((key) => [key, 'secret'])),
          Mine: 'ü',
          ask: 'Match match alias WORKERS storage.type tls.verify tag MINE mine other',
        },
      },
    ]);
    go.take([1]);
    await waitUntil('it is settled', () => go.secured.length === 1);
    const asked = go.calls().filter((call) => call.includes('='));
    assert.deepEqual(
      asked,
      [
        'Match=',
        'match=',
        'alias=',
        'WORKERS=',
        'storage.type=',
        'tls.verify=',
        'tag=',
        'MINE=ü',
        'mine=ü',
        'other=',
      ].map((call) => `go0 ${call}`),
    );
    const warnings = go.said('which the host keeps for itself');
    assert.deepEqual(warnings.map(({ fields }) => fields.key).sort(), [...reservedKeys].sort());
    assert.ok(warnings.every(({ level, message }) => level === 'warn' && message.startsWith('output go0: ')));
  },
);

test('a goroutine may ask for a property in the middle of a flush', options, async (t) => {
  const go = new GoFeeds(t, [{ workers: 3, properties: { late_ask: 'colour', colour: 'red' } }]);
  for (const value of upTo(20)) go.take([value], `n${value}.shop`);
  await waitUntil('all are settled', () => go.secured.length === 20);
  assert.equal(go.calls().filter((call) => call === 'go0 late colour=red').length, 20);
});

test('as many flushes as there are workers are under way at once, and no more', options, async (t) => {
  const go = new GoFeeds(t, [
    { ...PATIENT, alias: 'one', properties: { slow_ms: '50' } },
    // So slow that the last of six begins before the first is done.
    { ...PATIENT, alias: 'six', workers: 6, properties: { slow_ms: '1000' } },
  ]);
  for (const value of upTo(24)) go.take([value], `n${value}.shop`);
  await waitUntil('all are settled', () => go.secured.length === 48);
  await go.close(PATIENT.graceMs);
  const exits = go.calls().filter((call) => call.includes(' exit'));
  assert.deepEqual(exits, ['one exit, at most 1 flushes at once', 'six exit, at most 6 flushes at once']);
});

test(
  'what a plugin prints goes to the log line by line with its name, and a flood neither holds up nor fills it',
  options,
  async (t) => {
    const flood = {
      ...PATIENT,
      alias: 'loud',
      properties: { noise: String(50 * 1024 * 1024), init_says: 'hello from init \u001b[31m' },
    };
    const go = new GoFeeds(t, [flood, { ...PATIENT, alias: 'quiet' }]);
    go.take([1]);
    await waitUntil('both have it', () => go.secured.length === 2, 120_000);
    await waitUntil('the hello is there', () => go.said('hello from init').length === 1);
    const [hello] = go.said('hello from init');
    assert.equal(hello?.message, 'behaves: hello from init \\x1b[31m');
    assert.deepEqual(hello?.fields, { plugin: 'behaves', stream: 'stderr', outputs: ['loud', 'quiet'] });
    await go.close(PATIENT.graceMs);
    const lines = go.said('behaves: nnn').length;
    assert.ok(lines > 10 && lines < 10_000, `${lines} lines`);
    const left = go.said('were left out here').reduce((sum, { fields }) => sum + Number(fields.lines), 0);
    assert.equal(lines + left, Math.ceil((50 * 1024 * 1024) / 100), 'every line is there or counted');
    assert.deepEqual(go.values('loud'), [1]);
  },
);

test('with log_level off nothing of what it prints is in the log', options, async (t) => {
  const go = new GoFeeds(t, [{ logLevel: 'off', properties: { init_says: 'hello' } }]);
  go.take([1]);
  await waitUntil('it is settled', () => go.secured.length === 1);
  await go.close(PATIENT.graceMs);
  assert.deepEqual(go.said('hello'), []);
});

test('a stop flushes what still gathers, and waits for flushes that are under way', options, async (t) => {
  const go = new GoFeeds(t, [{ ...PATIENT, flushMs: 3_600_000, properties: { slow_ms: '300' } }]);
  go.take([1, 2]);
  await go.close(PATIENT.graceMs);
  assert.deepEqual(go.values(), [1, 2]);
  assert.equal(go.secured.length, 1);
  assert.ok(go.calls().at(-1)?.startsWith('go0 exit'));
});

test('a stop keeps to its grace when a flush hangs, and when the exit hangs', options, async (t) => {
  for (const properties of [{ hang_on: '1' }, { exit_hangs: 'true' }]) {
    const go = new GoFeeds(t, [{ graceMs: 1000, properties }], {});
    await waitUntil('it is up', () => go.plugin().state === 'running');
    const pid = Number(go.plugin().pid);
    go.take([1]);
    await waitUntil('it begins', () => go.calls().length > 1 || go.plugin().state === 'running');
    await go.close(60_000);
    await waitUntil('the process is gone', () => !existsSync(`/proc/${pid}`));
    assert.equal(go.said('does not end within its grace, and is killed').length, 1);
  }
});

test(
  'the host process has a clean environment, the socket and its output, and ends with a publisher that is killed',
  options,
  async (t) => {
    const script = fileURLToPath(new URL('../support/go-publisher.js', import.meta.url));
    const child = spawn(process.execPath, [script, builtGoOutput('behaves')], {
      env: { ...process.env, SECRET_TOKEN: 'sesame' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    const [first] = await once(child.stdout, 'data');
    const pid = Number(String(first).trim());
    const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
    assert.ok(environment.includes('GOGC=400'));
    assert.ok(!environment.some((entry) => entry.startsWith('SECRET_TOKEN=')));
    const inherited = readdirSync(`/proc/${pid}/fd`)
      .map((fd) => [Number(fd), linkOf(pid, fd)] as const)
      .filter(([fd, link]) => fd > 3 && /^\/(?!dev\/null|proc\/)|^socket:/.test(link));
    assert.deepEqual(inherited, []);
    child.kill('SIGKILL');
    await waitUntil('the host is gone, too', () => !existsSync(`/proc/${pid}`));
  },
);

function linkOf(pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return '';
  }
}

function ascendingTexts(texts: readonly string[]): string[] {
  return [...texts].sort();
}

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isRecord } from '../../src/supervisor/config/toml-document.js';
import { AgentLog, type AgentLogOptions } from '../../src/supervisor/log/agent-log.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

interface OpenedLog {
  readonly log: AgentLog;
  readonly folder: string;
  /** What it wrote to stderr so far. */
  terminal(): string;
  /** The records of `agent.log` so far. */
  records(): Record<string, unknown>[];
}

function openLog(test: TestContext, options: Partial<AgentLogOptions> = {}): OpenedLog {
  const own = temporaryFolder(test);
  const folder = options.folder ?? join(own, 'log');
  const terminalFile = join(own, 'stderr');
  const terminal = openSync(terminalFile, 'a');
  const log = new AgentLog({
    folder,
    level: 'info',
    rotateSize: 1_000_000,
    rotateCount: 3,
    foreground: false,
    color: false,
    terminal,
    retryBaseMs: 20,
    retryCapMs: 40,
    ...options,
  });
  test.after(async () => {
    await log.close();
    closeSync(terminal);
  });
  return {
    log,
    folder,
    terminal: () => readFileSync(terminalFile, 'utf8'),
    records: () => recordsOf(join(folder, 'agent.log')),
  };
}

/** The records of a file; a line that is still being written does not count. */
function recordsOf(file: string): Record<string, unknown>[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => {
    const record: unknown = JSON.parse(line);
    assert.ok(isRecord(record));
    return record;
  });
}

test('lines are bunyan records with the fields beside the sentence', async (t) => {
  const { log, records } = openLog(t);
  log.warn({ plugin: 'disk', namespace: 'a.b', name: 'not the log', missing: undefined }, '100%d of it');
  await log.close();
  const [record] = records();
  assert.ok(record);
  const { name, level, plugin, namespace, name_, msg, v, time } = record;
  assert.deepEqual(
    { name, level, plugin, namespace, name_, msg, v },
    {
      name: 'agent',
      level: 40,
      plugin: 'disk',
      namespace: 'a.b',
      name_: 'not the log',
      msg: '100%d of it',
      v: 0,
    },
  );
  assert.ok(!Number.isNaN(Date.parse(String(time))));
});

test('lines below the level stay out, those of workers too', async (t) => {
  const { log, records } = openLog(t, { level: 'warn' });
  log.debug({}, 'no');
  log.info({}, 'no');
  log.accept({ type: 'log', level: 'info', fields: {}, message: 'no' });
  log.accept({ type: 'log', level: 'error', fields: { worker: 1 }, message: 'from a worker' });
  log.fatal({}, 'yes');
  await log.close();
  assert.deepEqual(
    records().map(({ msg }) => msg),
    ['from a worker', 'yes'],
  );
});

test('the file is rotated by size, the number of rotated files is kept, and no line is torn', async (t) => {
  const { log, folder } = openLog(t, { rotateSize: 2_000, rotateCount: 2 });
  for (let count = 0; count < 200; count++) log.info({ count }, 'a sentence of some length');
  await log.close();
  assert.deepEqual(readdirSync(folder).sort(), ['agent.log', 'agent.log.1', 'agent.log.2']);
  const counts = ['agent.log.2', 'agent.log.1', 'agent.log'].flatMap((name) => {
    assert.ok(statSync(join(folder, name)).size < 2_000 + 300, 'longer by one line at most');
    return recordsOf(join(folder, name)).map(({ count }) => count);
  });
  assert.equal(counts.at(-1), 199);
  for (const [index, count] of counts.entries()) assert.equal(count, 200 - counts.length + index);
});

test('a log that was there is gone on with, and rotated when it is too large already', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'agent.log'), '{"msg":"torn');
  const first = openLog(t, { folder });
  first.log.info({}, 'on a line of its own');
  await first.log.close();
  assert.match(
    readFileSync(join(folder, 'agent.log'), 'utf8'),
    /^\{"msg":"torn\n\{.*on a line of its own.*\}\n$/,
  );
  const second = openLog(t, { folder, rotateSize: 100 });
  second.log.info({}, 'in the next file');
  await second.log.close();
  assert.match(readFileSync(join(folder, 'agent.log.1'), 'utf8'), /in the next file|torn/);
});

test('a line is bounded, whatever is in it', async (t) => {
  const { log, records, folder } = openLog(t);
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  log.info({ stderr: 'x'.repeat(100_000) }, 'y'.repeat(100_000));
  log.info({ stderr: '\u0001'.repeat(24_000) }, 'escapes are longer than what they stand for');
  log.info(
    { loop, big: 1n, bad: Number.NaN, list: new Array(100_000).fill('z'), at: new Date(0) },
    'odd values',
  );
  log.error({ error: new Error('broken', { cause: new TypeError('deeper') }) }, 'an error');
  await log.close();
  const [long, escaped, odd, error] = records();
  assert.match(String(long?.msg), /^y+… \[cut, 100000 characters in all\]$/);
  assert.match(String(long?.stderr), /^x+… \[cut, 100000 characters in all\]$/);
  assert.equal(escaped?.msg, 'escapes are longer than what they stand for');
  assert.ok(Number(escaped?.cut) > 65_536);
  assert.equal(odd?.big, '1');
  assert.equal(odd?.bad, 'NaN');
  assert.equal(odd?.at, '1970-01-01T00:00:00.000Z');
  assert.match(JSON.stringify(error?.error), /"message":"broken".*"message":"deeper"/);
  for (const line of readFileSync(join(folder, 'agent.log'), 'utf8').split('\n'))
    assert.ok(line.length <= 65_536);
});

test('passwords of addresses do not get into the log', async (t) => {
  const { log, folder, terminal } = openLog(t, { foreground: true });
  log.info(
    { remote: 'https://t0ken@git/x', list: ['ssh://git:s3cret@git/x'] },
    'from https://u:s3cret@git/x',
  );
  await log.close();
  assert.doesNotMatch(readFileSync(join(folder, 'agent.log'), 'utf8') + terminal(), /t0ken|s3cret/);
});

test('in the foreground every line goes to stderr too: time, level, sentence, fields', async (t) => {
  const { log, terminal } = openLog(t, { foreground: true });
  log.warn({ plugin: 'disk', reason: 'no space', tries: 3, empty: '' }, 'the run failed');
  await log.close();
  assert.match(
    terminal(),
    /^\d{4}-\d\d-\d\dT[\d:.]+Z WARNING the run failed plugin=disk reason="no space" tries=3 empty=""\n$/,
  );
});

test('in the background stderr stays silent', async (t) => {
  const { log, terminal } = openLog(t);
  log.fatal({}, 'only in the file');
  await log.close();
  assert.equal(terminal(), '');
});

test('what a plugin printed cannot forge a line or reach the terminal', async (t) => {
  const { log, terminal } = openLog(t, { foreground: true });
  const evil = '\n2026-01-01T00:00:00.000Z FATAL gone\u001b[2J\u009b31m\r\u202eabc\u2028';
  log.info({ stderr: evil, [`k${evil}`]: 1 }, `said ${evil}`);
  await log.close();
  const lines = terminal().split('\n');
  assert.equal(lines.length, 2);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  assert.doesNotMatch(lines[0] ?? '', /[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
  assert.match(lines[0] ?? '', /\\x1b\[2J/);
});

test('colours come only when they are asked for', async (t) => {
  const { log, terminal } = openLog(t, { foreground: true, color: true });
  log.error({ a: 1 }, 'red');
  await log.close();
  assert.ok(terminal().includes('\u001b[31mERROR'));
});

test('a folder that cannot be made is named once on stderr, and written to when it can', async (t) => {
  const own = temporaryFolder(t);
  const blocker = join(own, 'file');
  writeFileSync(blocker, '');
  const { log, terminal, records } = openLog(t, { folder: join(blocker, 'log'), rotateSize: 100_000_000 });
  log.info({}, 'kept for later');
  await waitUntil('the failure is named', () => terminal().includes('cannot be written'));
  for (let count = 0; count < 20_000; count++) log.info({ count }, 'more than what is kept');
  rmSync(blocker);
  const note = await waitUntil('the note of the dropped lines', () =>
    records().find(({ dropped }) => dropped !== undefined),
  );
  assert.equal(records()[0]?.msg, 'kept for later');
  assert.equal(Number(note.dropped) + records().length - 1, 20_001, 'every line is there or counted');
  assert.equal(terminal().split('cannot be written').length, 2);
});

test('after its file, or its folder, was removed or moved the log begins a new one', async (t) => {
  const { log, folder, records } = openLog(t);
  const file = join(folder, 'agent.log');
  const comesBack = async () => {
    await waitUntil('the file is there again', () => {
      log.info({}, 'again');
      return existsSync(file);
    });
    assert.ok((await waitUntil('a line is in it', () => records().length > 0 && records())).length > 0);
  };
  await comesBack();
  rmSync(file);
  await comesBack();
  rmSync(folder, { recursive: true });
  await comesBack();
  renameSync(file, `${file}.moved`);
  await comesBack();
});

test('a folder in the place of the file is named, and left alone', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'agent.log'));
  const { log, terminal } = openLog(t, { folder });
  log.info({}, 'lost');
  await waitUntil('the failure is named', () => terminal().includes('cannot be written'));
  await log.close();
  assert.match(terminal(), /could not be written to the file file=\S+ lines=1\n$/);
});

test('lines after the end are lost, and nothing is thrown; ending twice is fine', async (t) => {
  const { log, records } = openLog(t);
  log.info({}, 'before');
  await Promise.all([log.close(), log.close()]);
  log.info({}, 'after');
  await log.close();
  assert.deepEqual(
    records().map(({ msg }) => msg),
    ['before'],
  );
});

const WRITER = join(PROJECT_ROOT, 'dist/test/support/log-writer.js');

test('a disk that is full does not end or hold up the process, and the log goes on when there is room', async (t) => {
  const folder = temporaryFolder(t);
  // The system refuses to let the file grow beyond 8 KiB, as it would on a full disk.
  const child = spawn('bash', ['-c', 'ulimit -f 8 && exec "$0" "$@"', process.execPath, WRITER, folder]);
  t.after(() => child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString();
  });
  await waitUntil('the failure is named', () => stderr.includes('cannot be written'));
  const file = join(folder, 'agent.log');
  renameSync(file, `${file}.full`);
  await waitUntil('the count of dropped lines', () =>
    recordsOf(file).find(({ dropped }) => Number(dropped) > 0),
  );
  assert.equal(child.exitCode, null, 'still running');
});

test('a full file system that has room again is written to again', async (t) => {
  const folder = join(temporaryFolder(t), 'mounted');
  mkdirSync(folder);
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'agent-test', folder]);
  if (mount.status !== 0) {
    t.skip('only root may mount a small file system');
    return;
  }
  try {
    writeFileSync(join(folder, 'filler'), Buffer.alloc(40_000));
    const { log, terminal } = openLog(t, { folder });
    await waitUntil('it is full', () => {
      log.info({ padding: 'x'.repeat(2_000) }, 'fills the disk');
      return terminal().includes('cannot be written');
    });
    assert.match(terminal(), /ENOSPC/);
    rmSync(join(folder, 'filler'));
    await waitUntil('the count of dropped lines', () => {
      log.info({}, 'there is room');
      return readFileSync(join(folder, 'agent.log'), 'utf8').includes('"dropped":');
    });
    await log.close();
  } finally {
    spawnSync('umount', ['-l', folder]);
  }
});

test('when stderr is closed by its reader the process goes on', async (t) => {
  const folder = temporaryFolder(t);
  const child = spawn(process.execPath, [WRITER, folder, 'foreground']);
  t.after(() => child.kill('SIGKILL'));
  await waitUntil('it runs', () => recordsOf(join(folder, 'agent.log')).length > 0);
  child.stderr.destroy();
  const before = recordsOf(join(folder, 'agent.log')).length;
  await waitUntil('it goes on', () => recordsOf(join(folder, 'agent.log')).length > before + 20);
  assert.equal(child.exitCode, null);
});

test('when nobody reads stderr the process is not held up', async (t) => {
  const folder = temporaryFolder(t);
  const child = spawn(process.execPath, [WRITER, folder, 'foreground', 'fast']);
  t.after(() => child.kill('SIGKILL'));
  child.stderr.pause();
  // Far more than a pipe takes.
  await waitUntil('it goes on', () => existsSync(join(folder, 'agent.log.1')));
  assert.equal(child.exitCode, null);
});

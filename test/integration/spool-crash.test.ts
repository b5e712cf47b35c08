import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Spool } from '../../src/workers/publisher/spool/spool.js';
import type { SpoolEntry } from '../../src/workers/publisher/spool/spool-entry.js';
import type { FsyncPolicy } from '../../src/workers/publisher/spool/spool-options.js';
import { recordingLog } from '../support/recording-log.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const APPENDER = fileURLToPath(new URL('spool-appender.js', import.meta.url));
const KILLS = 6;
const SEED = Number(process.env.SPOOL_SEED ?? Date.now() % 1_000_000);

/** What an appender said, until it was killed after `lines` lines or ended by itself. */
async function runAppender(args: readonly string[], killAfterLines: number): Promise<string[]> {
  const child = spawn(process.execPath, [APPENDER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  let lines = 0;
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    lines += part.split('\n').length - 1;
    if (lines >= killAfterLines) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return text.split('\n').slice(0, -1);
}

function numbersOf(lines: readonly string[], word: string): number[] {
  return lines.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.split(' ')[1]));
}

async function readAll(spool: Spool): Promise<SpoolEntry[]> {
  const all: SpoolEntry[] = [];
  for (;;) {
    const some = await spool.read(all.at(-1)?.id ?? 0, 4 * 1024 * 1024);
    if (some.length === 0) return all;
    all.push(...some);
  }
}

for (const fsync of ['always', 'interval', 'never'] satisfies FsyncPolicy[]) {
  test(`fsync ${fsync}: nothing stored is missing after kill -9 (SPOOL_SEED=${SEED})`, async (context) => {
    const folder = join(temporaryFolder(context), 'spool');
    const stored = new Set<number>();
    const acknowledged = new Set<number>();
    for (let kill = 0; kill < KILLS; kill += 1) {
      const args = [folder, fsync, String(kill * 1_000_000), '0', String(kill % 2)];
      const lines = await runAppender(args, 1 + ((SEED * (kill + 3) * 7919) % 1500));
      for (const number of numbersOf(lines, 'stored')) stored.add(number);
      for (const number of numbersOf(lines, 'acknowledging')) acknowledged.add(number);
      assert.ok(!lines.includes('dropped'));
    }
    const { log } = recordingLog();
    const spool = await Spool.open({
      folder,
      maxBytes: 512 * 1024 * 1024,
      fsync,
      log,
      onDropped: () => assert.fail('nothing is dropped'),
    });
    const entries = await readAll(spool);
    const found = new Map(entries.map((entry) => [entry.points, entry]));
    assert.equal(found.size, entries.length, 'nothing twice');
    for (const number of stored) {
      if (!acknowledged.has(number)) assert.ok(found.has(number), `document ${number} was stored`);
    }
    for (const { points, document } of entries) {
      assert.ok(document.equals(Buffer.alloc(100 + ((points * 7919) % 30_000), `${points} `)));
    }
    context.diagnostic(
      `${stored.size} stored, ${acknowledged.size} acknowledged, ${entries.length} read after ${KILLS} kills`,
    );
    await spool.close();
    rmSync(folder, { recursive: true });
  });
}

test('a spool that was closed brings back exactly what was not acknowledged', async (context) => {
  const folder = join(temporaryFolder(context), 'spool');
  const lines = await runAppender([folder, 'never', '0', '2000', '1'], Number.POSITIVE_INFINITY);
  assert.equal(lines.at(-1), 'closed');
  const gone = new Set(numbersOf(lines, 'acknowledging'));
  const expected = numbersOf(lines, 'stored').filter((number) => !gone.has(number));
  const spool = await Spool.open({
    folder,
    maxBytes: 512 * 1024 * 1024,
    fsync: 'never',
    log: recordingLog().log,
    onDropped: () => assert.fail('nothing is dropped'),
  });
  context.after(() => spool.close());
  const found = (await readAll(spool)).map(({ points }) => points);
  assert.deepEqual(
    found.toSorted((one, other) => one - other),
    expected.toSorted((one, other) => one - other),
  );
});

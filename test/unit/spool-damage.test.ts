import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/temporary-folder.js';
import { MIB, open, record, segments, texts } from './spool-under-test.js';

test('a damaged record is skipped, set aside, logged with file and position, and told', async (context) => {
  const { spool, folder, lines, dropped } = await open(context);
  await spool.append(['first', 'second', 'third'].map((text) => record(text, 'a', 5)));
  const [path = ''] = segments(folder);
  const bytes = readFileSync(path);
  const position = bytes.indexOf('second');
  bytes[position] = 0;
  writeFileSync(path, bytes);
  assert.deepEqual(texts(await spool.read(0, MIB)), ['first', 'third']);
  assert.deepEqual(dropped, [['a', 1, 5, 'damaged']]);
  const line = lines.find(({ level }) => level === 'error');
  assert.equal(line?.fields.file, path);
  assert.equal(line?.fields.position, position - 'a'.length - 40);
  const aside = readdirSync(folder).find((file) => file.includes('.damaged'));
  assert.ok(aside && readFileSync(join(folder, aside)).includes('\0econd'));
  assert.equal(spool.stats().records, 2);
  await spool.close();
  const again = await open(context, { folder });
  assert.deepEqual(texts(await again.spool.read(0, MIB)), ['first', 'third']);
  assert.deepEqual(again.dropped, [], 'it is told once');
});

test('a file that was cut off is recovered up to there', async (context) => {
  const { spool, folder } = await open(context);
  await spool.append(['first', 'second', 'third'].map((text) => record(text)));
  await spool.close();
  const [path = ''] = segments(folder);
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, bytes.indexOf('third') + 2));
  const again = await open(context, { folder });
  assert.deepEqual(texts(await again.spool.read(0, MIB)), ['first', 'second']);
  const line = again.lines.find(({ level }) => level === 'error');
  assert.equal(line?.fields.file, path);
  assert.ok(line?.message.includes('set aside as'));
  const [next = 0] = await again.spool.append([record('fourth')]);
  again.spool.acknowledge([next]);
  await again.spool.close();
  const last = await open(context, { folder });
  assert.deepEqual(
    texts(await last.spool.read(0, MIB)),
    ['first', 'second'],
    'only the new one was acknowledged',
  );
});

test('acknowledgements of records that a power failure took are not taken for those of new ones', async (context) => {
  const { spool, folder } = await open(context);
  const stored = await spool.append(['1', '2', '3'].map((text) => record(text)));
  spool.acknowledge(stored.slice(1));
  await spool.close();
  const [path = ''] = segments(folder);
  const bytes = readFileSync(path);
  // The records 2 and 3, and the footer, never reached the disk. Each has 40 bytes, 8 of namespace, 1 of document.
  writeFileSync(path, bytes.subarray(0, 49));
  const again = await open(context, { folder });
  await again.spool.append([record('new 2'), record('new 3')]);
  assert.deepEqual(texts(await again.spool.read(0, MIB)), ['1', 'new 2', 'new 3']);
  await again.spool.close();
  const last = await open(context, { folder });
  assert.deepEqual(texts(await last.spool.read(0, MIB)), ['1', 'new 2', 'new 3']);
});

for (const [what, content] of [
  ['garbage', Buffer.alloc(100_000, 'garbage')],
  ['zeros', Buffer.alloc(100_000)],
  ['nothing', Buffer.alloc(0)],
] as const) {
  test(`a file of ${what} does not keep the spool from opening`, async (context) => {
    const folder = join(temporaryFolder(context), 'spool');
    mkdirSync(folder);
    const path = join(folder, '0000000000000001-0123abcd.segment');
    writeFileSync(path, content);
    const { spool, lines } = await open(context, { folder });
    assert.deepEqual(await spool.read(0, MIB), []);
    assert.deepEqual(segments(folder), []);
    const said = lines.filter(({ level }) => level === 'error').map(({ fields }) => fields.file);
    assert.deepEqual(said, content.length > 0 ? [path] : []);
    await spool.append([record('works')]);
    assert.deepEqual(texts(await spool.read(0, MIB)), ['works']);
  });
}

test('what is set aside is bounded, and goes before any record', async (context) => {
  const { spool, folder } = await open(context, { maxBytes: MIB, fsync: 'never' });
  await spool.close();
  for (let number = 1; number <= 30; number += 1) {
    const name = `${String(number).padStart(16, '0')}-0123abcd.segment`;
    writeFileSync(join(folder, name), Buffer.alloc(10_000, 'bad'));
  }
  const again = await open(context, { folder, maxBytes: MIB, fsync: 'never' });
  const kept = readdirSync(folder).filter((file) => file.includes('.damaged'));
  assert.ok(kept.length > 0 && kept.length <= MIB / 8 / 10_000, `${kept.length} are kept`);
  await again.spool.close();
  const last = await open(context, { folder, maxBytes: MIB, fsync: 'never' });
  for (let number = 0; number < 9; number += 1) await last.spool.append([record('x'.repeat(100_000))]);
  assert.deepEqual(last.dropped, []);
  assert.equal(readdirSync(folder).filter((file) => file.includes('.damaged')).length < kept.length, true);
});

test('a damaged table of contents costs no record', async (context) => {
  const { spool, folder } = await open(context);
  await spool.append(['first', 'second'].map((text) => record(text)));
  await spool.close();
  const [path = ''] = segments(folder);
  const bytes = readFileSync(path);
  for (const back of [1, 45]) {
    const damaged = Buffer.from(bytes);
    damaged[bytes.length - back] = 0x55;
    writeFileSync(path, damaged);
    const again = await open(context, { folder });
    assert.deepEqual(
      texts(await again.spool.read(0, MIB)),
      ['first', 'second'],
      `${back} bytes before the end`,
    );
    await again.spool.close();
  }
});

test('a symbolic link in place of a file is not followed', async (context) => {
  const { spool, folder } = await open(context);
  await spool.append([record('first')]);
  await spool.close();
  const [path = ''] = segments(folder);
  const elsewhere = join(folder, '..', 'elsewhere');
  renameSync(path, elsewhere);
  const content = readFileSync(elsewhere);
  symlinkSync(elsewhere, path);
  const again = await open(context, { folder });
  assert.deepEqual(await again.spool.read(0, MIB), []);
  assert.ok(again.lines.some(({ level, fields }) => level === 'error' && fields.file === path));
  await again.spool.append([record('second')]);
  assert.deepEqual(readFileSync(elsewhere), content, 'the file behind it is as it was');
});

test('a copy of a file does not deliver twice under the same ids', async (context) => {
  const { spool, folder } = await open(context);
  await spool.append([record('first')]);
  await spool.close();
  const [path = ''] = segments(folder);
  writeFileSync(path.replace(/-[0-9a-f]{8}/, '-00000000'), readFileSync(path));
  const again = await open(context, { folder });
  assert.deepEqual(texts(await again.spool.read(0, MIB)), ['first']);
});

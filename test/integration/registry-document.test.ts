import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { DocumentWatch } from '../../src/supervisor/registry/document-watch.js';
import { openRegistry, pluginItem } from '../support/registry-under-test.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

describe('a registry that is a document', () => {
  it('gives the namespaces and their items, and may name repositories on this machine', async (t) => {
    const path = join(temporaryFolder(t), 'registry.json');
    writeFileSync(
      path,
      JSON.stringify({ 'cache.shop': [pluginItem('redis', { git: '/srv/git/redis' })], 'web.shop': [] }),
    );
    const { registry } = openRegistry(t, `file:${path}`);
    const view = await registry.sync();
    assert.equal(registry.documentPath, path);
    assert.deepEqual(view.namespaces, ['cache.shop', 'web.shop']);
    assert.equal(view.plugins[0]?.address, '/srv/git/redis');
    assert.deepEqual([view.resourceIds, view.problems], [{}, []]);
  });

  const broken: readonly [string, string | Buffer, RegExp][] = [
    ['empty', '', /is not JSON/],
    ['cut', '{"cache.shop": [', /is not JSON/],
    ['a list', '[]', /must be an object of namespaces/],
    ['null', 'null', /must be an object of namespaces/],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /is not JSON/],
    ['too large', `{"x": "${'x'.repeat(200_000)}"}`, /larger than the 100000 bytes/],
  ];
  for (const [what, content, said] of broken) {
    it(`keeps what was known when it is ${what}, at the next start too`, async (t) => {
      const path = join(temporaryFolder(t), 'registry.json');
      writeFileSync(path, JSON.stringify({ 'cache.shop': [pluginItem('redis')] }));
      const { registry, stateFolder } = openRegistry(t, `file:${path}`, { maxAnswerBytes: 100_000 });
      await registry.sync();
      writeFileSync(path, content);
      await assert.rejects(
        registry.sync(),
        (error: Error) => said.test(error.message) && error.message.includes(path),
      );
      assert.equal((await registry.lastKnown())?.plugins.length, 1);
      assert.equal(
        (await openRegistry(t, `file:${path}`, { stateFolder }).registry.lastKnown())?.plugins.length,
        1,
      );
    });
  }

  it('is an error when it is missing, a folder or a named pipe', async (t) => {
    const folder = temporaryFolder(t);
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    for (const [name, said] of [
      ['missing', /ENOENT/],
      ['.', /no regular file/],
      ['pipe', /no regular file/],
    ] as const) {
      await assert.rejects(openRegistry(t, `file:${join(folder, name)}`).registry.sync(), said);
    }
  });

  it('keeps the items of a namespace that has something else than a list', async (t) => {
    const path = join(temporaryFolder(t), 'registry.json');
    writeFileSync(path, JSON.stringify({ 'a.shop': [pluginItem('redis')], 'b.shop': [pluginItem('nginx')] }));
    const { registry } = openRegistry(t, `file:${path}`);
    await registry.sync();
    writeFileSync(path, JSON.stringify({ 'a.shop': {}, 'b.shop': [] }));
    const view = await registry.sync();
    assert.deepEqual(
      view.plugins.map(({ project }) => project),
      ['redis'],
    );
    assert.deepEqual(view.stale, ['a.shop']);
  });
});

describe('the watch of a document', () => {
  function watched(t: { after(fn: () => void): void }, path: string): { changes(): number } {
    let changes = 0;
    const countChange = () => {
      changes += 1;
    };
    const watch = new DocumentWatch(path, countChange, 50);
    t.after(() => watch.close());
    return { changes: () => changes };
  }

  it('sees it written, replaced by renaming, removed and made again', async (t) => {
    const folder = temporaryFolder(t);
    const path = join(folder, 'registry.json');
    writeFileSync(path, '{}');
    const { changes } = watched(t, path);
    const steps: readonly (readonly [string, () => void])[] = [
      ['writing', () => writeFileSync(path, '{"a":[]}')],
      [
        'replacing',
        () => {
          writeFileSync(join(folder, 'new'), '{"b":[]}');
          renameSync(join(folder, 'new'), path);
        },
      ],
      ['removing', () => rmSync(path)],
      ['making again', () => writeFileSync(path, '{"c":[]}')],
      ['writing again', () => writeFileSync(path, '{"c":[],"d":[]}')],
    ];
    for (const [what, step] of steps) {
      const before = changes();
      step();
      await waitUntil(`${what} is seen`, () => changes() > before);
    }
  });

  it('sees a change behind a symbolic link, and in a folder that was replaced or comes later', async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, 'one'));
    mkdirSync(join(folder, 'elsewhere'));
    const target = join(folder, 'elsewhere', 'registry.json');
    writeFileSync(target, '{}');
    symlinkSync(target, join(folder, 'one', 'registry.json'));
    const linked = watched(t, join(folder, 'one', 'registry.json'));
    const later = watched(t, join(folder, 'two', 'registry.json'));

    writeFileSync(target, '{"a":[]}');
    mkdirSync(join(folder, 'two'));
    writeFileSync(join(folder, 'two', 'registry.json'), '{}');
    await waitUntil('both are seen', () => linked.changes() > 0 && later.changes() > 0);

    const before = later.changes();
    rmSync(join(folder, 'two'), { recursive: true });
    mkdirSync(join(folder, 'two'));
    writeFileSync(join(folder, 'two', 'registry.json'), '{"b":[]}');
    await waitUntil('the new folder is seen', () => later.changes() > before);
  });
});

import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { removeForeignTree } from '../../src/supervisor/plugin-store/foreign-tree.js';
import { temporaryFolder } from '../support/temporary-folder.js';

test('a tree goes whole, whatever names, modes and depths it has, and links are not followed', async (t) => {
  const scratch = temporaryFolder(t);
  const outside = join(scratch, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'kept'), 'as it was');
  const tree = join(scratch, 'tree');
  mkdirSync(join(tree, 'a', 'b'), { recursive: true });
  symlinkSync(outside, join(tree, 'folder-link'));
  symlinkSync(join(outside, 'kept'), join(tree, 'a', 'file-link'));
  symlinkSync('nowhere', join(tree, 'a', 'broken'));
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/a/`), Buffer.from([0xff, 0xfe, 0x0a])]), 'not UTF-8');
  writeFileSync(join(tree, 'a', 'b', 'closed'), '');
  chmodSync(join(tree, 'a', 'b'), 0o000);
  chmodSync(join(tree, 'a'), 0o500);
  makeDeep(join(tree, 'deep'), 300);
  const before = openFolders();
  await removeForeignTree(tree);
  assert.equal(existsSync(tree), false);
  assert.equal(readFileSync(join(outside, 'kept'), 'utf8'), 'as it was');
  assert.deepEqual(openFolders(), before, 'nothing is left open');
});

test('a folder that is a link is left alone, and one that is not there is no error', async (t) => {
  const scratch = temporaryFolder(t);
  mkdirSync(join(scratch, 'outside'));
  writeFileSync(join(scratch, 'outside', 'kept'), '');
  symlinkSync('outside', join(scratch, 'link'));
  await assert.rejects(removeForeignTree(join(scratch, 'link')), /ENOTDIR|ELOOP/);
  assert.ok(existsSync(join(scratch, 'outside', 'kept')));
  await removeForeignTree(join(scratch, 'missing'));
});

test('while somebody swaps folders and links in it, nothing outside is touched', async (t) => {
  const scratch = temporaryFolder(t);
  const outside = join(scratch, 'outside');
  mkdirSync(outside);
  for (let n = 0; n < 50; n += 1) writeFileSync(join(outside, `kept${n}`), '');
  const tree = join(scratch, 'tree');
  mkdirSync(tree);
  for (let n = 0; n < 100; n += 1) {
    mkdirSync(join(tree, `f${n}`), { recursive: true });
    for (let k = 0; k < 5; k += 1) writeFileSync(join(tree, `f${n}`, `kept${k}`), '');
  }
  await removeWhile((isOver) => swap(tree, outside, isOver), tree);
  assert.equal(readdirSync(outside).length, 50);
});

test('folders that somebody takes away in the middle of the removal are no error', async (t) => {
  const tree = join(temporaryFolder(t), 'tree');
  const folders = Array.from({ length: 20 }, (_, n) => join(tree, `f${n}`, 'inside'));
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  await removeWhile((isOver) => comeAndGo(folders, isOver), tree);
});

/** Removes a tree while somebody changes it, who may bring the removal to give up. */
async function removeWhile(change: (isOver: () => boolean) => Promise<void>, tree: string): Promise<void> {
  let isOver = false;
  const changing = change(() => isOver);
  try {
    await removeForeignTree(tree);
  } catch (error) {
    assert.match(String(error), /goes on writing/);
  } finally {
    isOver = true;
    await changing;
  }
}

/** Removes folders and makes them again, between the steps of the removal. */
async function comeAndGo(folders: readonly string[], isOver: () => boolean): Promise<void> {
  for (let isThere = true; !isOver(); isThere = !isThere) {
    await turn();
    for (const folder of folders) {
      try {
        if (isThere) rmdirSync(folder);
        else mkdirSync(folder);
      } catch {
        // Moved up, or gone with what it was in.
      }
    }
  }
}

/** Puts links to a folder where folders were, between the steps of the removal. */
async function swap(tree: string, outside: string, isOver: () => boolean): Promise<void> {
  for (let n = 0; !isOver(); n = (n + 1) % 100) {
    await turn();
    try {
      renameSync(join(tree, `f${n}`), join(tree, `moved${n}`));
      symlinkSync(outside, join(tree, `f${n}`));
    } catch {
      // Gone already.
    }
  }
}

/** Deeper than a path may be long. */
function makeDeep(folder: string, depth: number): void {
  const name = 'x'.repeat(200);
  const back = process.cwd();
  mkdirSync(folder);
  process.chdir(folder);
  try {
    for (let level = 0; level < depth; level += 1) {
      mkdirSync(name);
      process.chdir(name);
    }
  } finally {
    process.chdir(back);
  }
}

function openFolders(): number {
  return readdirSync('/proc/self/fd').length;
}

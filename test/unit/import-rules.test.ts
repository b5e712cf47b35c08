import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { PROJECT_ROOT } from '../support/project-root.js';
import { findCircle, sourceImports } from '../support/source-imports.js';

const IMPORTS = sourceImports('src');
const ARROWS = [...IMPORTS].flatMap(([from, imported]) => imported.map((to) => ({ from, to })));

/** The parts of the main thread: each imports only from those that stand behind it. */
const PARTS = [
  'cli',
  'lifecycle',
  'delivery',
  'host',
  'plugins',
  'cgroups',
  'schedule',
  'plugin-store',
  'registry',
  'metrics',
  'http',
  'demo',
  'go-library',
  'skeleton',
  'config',
  'git',
  'log',
  'state',
];

test('src/shared imports nothing of the supervisor and the workers', () => {
  assert.deepEqual(arrows('src/shared', ['src/supervisor', 'src/workers']), []);
});

test('supervisor and workers never import each other', () => {
  assert.deepEqual(arrows('src/supervisor', ['src/workers']), []);
  assert.deepEqual(arrows('src/workers', ['src/supervisor']), []);
});

test('the parts of the supervisor import one way', () => {
  const folders = new Set([...IMPORTS.keys()].filter((file) => isIn(file, 'src/supervisor')).map(partOf));
  assert.deepEqual([...folders].sort(), [...PARTS].sort(), 'each part has its place in the order');
  for (const [place, part] of PARTS.entries()) {
    const before = PARTS.slice(0, place).map((name) => `src/supervisor/${name}`);
    assert.deepEqual(arrows(`src/supervisor/${part}`, before), []);
  }
});

test('the HTTP server imports nothing of the agent but what it asks of it, which is in its own folder', () => {
  const others = PARTS.filter((part) => part !== 'http').map((part) => `src/supervisor/${part}`);
  assert.deepEqual(arrows('src/supervisor/http', others), []);
});

test('the rest of the agent sees of the HTTP server how it is started and what it asks', () => {
  const face = ['src/supervisor/http/server.ts', 'src/supervisor/http/operations.ts'];
  const inside = arrows('src/supervisor', ['src/supervisor/http']).filter(
    ({ from, to }) => !isIn(from, 'src/supervisor/http') && !face.includes(to),
  );
  assert.deepEqual(inside, []);
});

test('nsq-tcp could be a package of its own', () => {
  const needed = ['src/shared/coded-error.ts', 'src/shared/back-off.ts'];
  const others = arrows('src/shared/nsq-tcp', ['src']).filter(
    ({ to }) => !isIn(to, 'src/shared/nsq-tcp') && !needed.includes(to),
  );
  assert.deepEqual(others, []);
});

test('no files import each other in a circle, types included', () => {
  assert.equal(findCircle(IMPORTS)?.join(' -> '), undefined);
});

test('these checks see all imports and find circles', () => {
  assert.deepEqual(
    ARROWS.filter(({ to }) => !existsSync(join(PROJECT_ROOT, to))),
    [],
  );
  assert.ok(ARROWS.length > IMPORTS.size, `${ARROWS.length} imports in ${IMPORTS.size} files`);
  const round: readonly [string, string[]][] = [
    ['entry', ['a']],
    ['a', ['leaf', 'b']],
    ['b', ['a']],
  ];
  assert.deepEqual(findCircle(new Map(round)), ['a', 'b', 'a']);
});

/** The imports of files in `folder` that lead into one of the places. */
function arrows(folder: string, places: readonly string[]) {
  return ARROWS.filter(({ from, to }) => isIn(from, folder) && places.some((place) => isIn(to, place)));
}

function isIn(file: string, folder: string): boolean {
  return file.startsWith(`${folder}/`);
}

/** The folder below `src/supervisor` that a file is in. */
function partOf(file: string): string {
  return file.split('/')[2] ?? '';
}

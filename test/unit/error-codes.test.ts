import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { FETCH_FAILURES, STATUS_OF_CODE } from '../../src/supervisor/http/errors.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { sourceImports } from '../support/source-imports.js';

/** Thrown when the agent starts, when nobody calls yet. */
const AT_START = ['plugins-folder'];

function codesIn(folder: string): string[] {
  const texts = [...sourceImports(folder).keys()].map((file) =>
    readFileSync(join(PROJECT_ROOT, file), 'utf8'),
  );
  const codes = texts.flatMap((text) => [...text.matchAll(/new CodedError\(\s*'([a-z-]+)'/g)]);
  return [...new Set(codes.map(([, code = '']) => code))].filter((code) => !AT_START.includes(code)).sort();
}

test('every failure that a caller can meet has a status of its own', () => {
  const codes = ['plugins', 'plugin-store', 'state'].flatMap((part) => codesIn(`src/supervisor/${part}`));
  assert.ok(codes.length > 10, codes.join());
  assert.deepEqual(
    codes.filter((code) => !Object.hasOwn(STATUS_OF_CODE, code)),
    [],
  );
});

test('the failures of fetching a plugin are those of the store', () => {
  assert.deepEqual(codesIn('src/supervisor/plugin-store'), [...FETCH_FAILURES].sort());
});

import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { programProblem } from '../../src/workers/runner/program-file.js';
import { pluginFolder } from '../support/plugin-folder.js';

test('scripts with an interpreter and binaries of this machine are programs', (t) => {
  for (const line of ['#!/bin/sh', '#! /bin/sh', '#!\t/usr/bin/env node', '#!/bin/sh -e']) {
    const folder = pluginFolder(t, `${line}\n`);
    assert.equal(programProblem(join(folder, 'plugin'), folder), undefined, line);
  }
  const withoutEnd = pluginFolder(t, '#!/bin/sh');
  assert.equal(programProblem(join(withoutEnd, 'plugin'), withoutEnd), undefined);
  assert.equal(programProblem(process.execPath, dirname(process.execPath)), undefined);
  assert.equal(programProblem('/bin/sh', '/'), undefined);
});

test('an interpreter may be relative to the working folder, or a script itself', (t) => {
  const folder = pluginFolder(t, '#!./inner -x\n');
  const file = join(folder, 'plugin');
  assert.equal(programProblem(file, folder)?.value, 127);
  writeFileSync(join(folder, 'inner'), '#!/bin/sh\n');
  chmodSync(join(folder, 'inner'), 0o755);
  assert.equal(programProblem(file, folder), undefined);
  writeFileSync(join(folder, 'inner'), 'no program\n');
  assert.match(programProblem(file, folder)?.problem ?? '', /inner is neither a program/);
});

test('interpreters that lead in a circle are no program', (t) => {
  const folder = pluginFolder(t, '#!./plugin\n');
  assert.equal(programProblem(join(folder, 'plugin'), folder)?.value, 126);
});

test('an interpreter whose path is too long for the kernel makes no program', (t) => {
  const folder = pluginFolder(t, `#!/${'x'.repeat(300)}\n`);
  assert.equal(programProblem(join(folder, 'plugin'), folder)?.value, 126);
});

test('a missing or unreadable file is left to the kernel', (t) => {
  const folder = pluginFolder(t, '');
  assert.equal(programProblem(join(folder, 'none'), folder), undefined);
  assert.equal(programProblem(folder, folder), undefined);
});

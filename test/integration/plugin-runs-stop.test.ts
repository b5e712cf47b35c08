import assert from 'node:assert/strict';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { managedPlugin } from '../../src/supervisor/plugins/managed-plugin.js';
import { makeRepository } from '../support/git-repository.js';
import { pluginRuns } from '../support/plugin-runs.js';
import { openStore, pluginFrom } from '../support/store.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

// The threads of the pool, and what they say, keep no process alive.
const alive = setInterval(() => {}, 60_000);
after(() => clearInterval(alive));

test('a stop asks every run once to end, also one that has no process yet when it begins', async (t) => {
  const { store, scratch } = await openStore(t);
  const place = temporaryFolder(t);
  chmodSync(place, 0o777);
  const [trapIsSet, mayEnd] = [join(place, 'trap-is-set'), join(place, 'may-end')];
  const early = await plugin('early', [
    "trap 'echo asked >&2' TERM",
    `: >${trapIsSet}`,
    `until [ -e ${mayEnd} ]; do sleep 0.05; done`,
  ]);
  const late = await plugin('late', ['exec sleep 600']);
  const { runs } = pluginRuns(t, store, { graceMs: 30_000 });

  const earlyRun = runs.runCalled(early, 60_000, undefined);
  await waitUntil('it has set its trap', () => existsSync(trapIsSet));
  const lateRun = runs.runCalled(late, 60_000, undefined);
  const stop = runs.stop();
  assert.equal((await lateRun).signal, 'SIGTERM');
  writeFileSync(mayEnd, '');
  assert.equal((await earlyRun).stderrEnd.match(/asked/g)?.length, 1);
  await stop;

  async function plugin(project: string, script: readonly string[]) {
    const text = ['#!/bin/sh', ...script, ''].join('\n');
    const definition = pluginFrom(makeRepository(join(scratch, project), { plugin: text }), project);
    assert.equal(await store.ensure(definition), undefined);
    return managedPlugin(`shop/${project}`, definition);
  }
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { RegistrySync } from '../../src/supervisor/lifecycle/registry-sync.js';
import type { PluginDefinition } from '../../src/supervisor/registry/plugin-definition.js';
import type { RegistryView } from '../../src/supervisor/registry/registry-view.js';
import { recordingLog } from '../support/recording-log.js';
import { pluginFrom } from '../support/store.js';

test('who asked at the same time hears the same of it, and it is applied once', async () => {
  const answers = [viewOf([]), viewOf([pluginFrom('https://git.example.com/check')])];
  let shared: Promise<RegistryView> | undefined;
  // A stand-in for the registry: it answers all who have asked before with one answer, as the real one does.
  const registry = {
    lastKnown: async () => undefined,
    sync: () => {
      shared ??= new Promise((resolve) => {
        setImmediate(() => {
          shared = undefined;
          resolve(answers.shift() ?? assert.fail('it is asked too often'));
        });
      });
      return shared;
    },
  };
  const { plugins, applied } = followingPlugins();
  const hostThread = { setPlan: () => undefined };
  const sync = new RegistrySync(registry, { plugins, hostThread }, 'file:/registry', recordingLog().log);
  assert.deepEqual((await sync.now()).changes.added, []);
  const outcomes = await Promise.all([sync.now(), sync.now(), sync.now()]);
  assert.deepEqual(
    outcomes.map(({ changes }) => changes.added.map(({ name }) => name)),
    [['check'], ['check'], ['check']],
  );
  assert.deepEqual(applied, [0, 1]);
});

/** Stand-in for the set of plugins: counts what it was to apply, and says what that changed. */
function followingPlugins() {
  const applied: number[] = [];
  let before: readonly PluginDefinition[] = [];
  const apply = (definitions: readonly PluginDefinition[]) => {
    applied.push(definitions.length);
    const added = definitions.filter((definition) => !before.includes(definition));
    before = definitions;
    return { added, changed: [], removed: [], unchanged: definitions.length - added.length };
  };
  return { plugins: { apply }, applied };
}

function viewOf(plugins: readonly PluginDefinition[]): RegistryView {
  return {
    namespaces: ['shop'],
    resourceIds: {},
    plugins,
    mistakenPlugins: [],
    hostItems: [],
    problems: [],
    stale: [],
  };
}

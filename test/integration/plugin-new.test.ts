import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import spawn from 'cross-spawn';
import { AgentProcess } from '../support/agent-process.js';
import { call } from '../support/command-line.js';
import { makeRepository } from '../support/git-repository.js';
import { goSkipReason } from '../support/go-outputs.js';
import { pluginItem } from '../support/plugin-item.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

function run(program: string, words: readonly string[], folder: string): string {
  const result = spawn.sync(program, [...words], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, GOFLAGS: '-mod=readonly' },
  });
  assert.equal(result.status, 0, `${program} ${words.join(' ')}: ${result.error ?? result.stderr}`);
  return result.stdout;
}

/** Builds the plugin in a folder, and lets an agent deliver a point to it by the configuration that lies there. */
async function buildAndRun(t: TestContext, folder: string, name: string): Promise<void> {
  run('make', ['build'], folder);
  const checked = await call(t, ['plugin', 'check', join(folder, `out_${name}.so`)]);
  assert.equal(checked.code, 0, checked.stdout);
  assert.match(checked.stdout, new RegExp(`It can be used: Name ${name}\n`));

  const results = join(folder, 'results');
  const config = join(folder, 'outputs.conf');
  const text = readFileSync(config, 'utf8').replace(/^( +Path +).*$/m, `$1${results}`);
  assert.ok(text.includes(results), text);
  writeFileSync(config, text);
  const agent = await AgentProcess.start(t, { words: ['-c', config] });
  const posted = JSON.stringify([{ name: 'answer', value: 42, tags: { colour: 'grün' } }]);
  assert.equal((await agent.call('/post?ns=web.shop', posted)).status, 200);
  const [line = ''] = await waitUntil('the plugin has written the point', () => {
    const lines = existsSync(results) ? readFileSync(results, 'utf8').split('\n') : [];
    return lines.length > 1 && lines;
  });
  const event = JSON.parse(line);
  assert.equal(event.tag, 'collect.web.shop');
  assert.equal(event.record.measurement, 'answer');
  assert.equal(event.record.value, 42);
  assert.equal(event.record.namespace, 'web.shop');
  assert.equal(event.record.tags.colour, 'grün');
  assert.ok(!Number.isNaN(Date.parse(event.time)), line);
  assert.equal(await agent.kill(), 0);
}

test('the skeleton of an output plugin builds, is in order, and an agent delivers to it', {
  skip: goSkipReason,
}, async (t) => {
  const folder = join(temporaryFolder(t), 'my plugin');
  const { code, stdout } = await call(t, ['plugin', 'new', 'my_db-2', '--folder', folder]);
  assert.equal(code, 0);
  assert.match(stdout, /out_my_db-2\.so/);
  for (const file of readdirSync(folder)) {
    assert.doesNotMatch(readFileSync(join(folder, file), 'utf8'), /jsonlines/, file);
  }
  await buildAndRun(t, folder, 'my_db-2');
});

test('the example of an output plugin builds, is in order, and an agent delivers to it', {
  skip: goSkipReason,
}, async (t) => {
  const folder = join(temporaryFolder(t), 'example');
  cpSync(join(PROJECT_ROOT, 'deploy/examples/output-plugin'), folder, { recursive: true });
  await buildAndRun(t, folder, 'jsonlines');
});

/** Runs the test of a plugin's folder, then has an agent clone and run it. */
async function testAndRun(t: TestContext, folder: string, name: string): Promise<void> {
  const printed = JSON.parse(run('./test', ['/', '/tmp'], folder));
  assert.equal(printed.length, 2);
  const plugin = readFileSync(join(folder, 'plugin'), 'utf8');
  const address = makeRepository(join(temporaryFolder(t), `${name}.git-source`), { plugin });
  const agent = await AgentProcess.start(t, {
    agent: 'gitprotocols = ["file"]',
    registry: { 'web.shop': [pluginItem(name, address, '0', { parameters: '/' })] },
  });
  const { body } = await agent.call(`/plugins/run?ns=web.shop&repo=${encodeURIComponent(address)}`);
  assert.equal(body.ok, true, JSON.stringify(body));
  const measurement = `PLUGIN.${name}.free`;
  await waitUntil('the point of the plugin is there', () =>
    agent
      .documents()
      .some(({ points }) =>
        points.some((point: { measurement: string }) => point.measurement === measurement),
      ),
  );
}

test('the skeleton of a plugin to be run passes its own test, and an agent runs it', async (t) => {
  const folder = join(temporaryFolder(t), 'queue');
  const { code } = await call(t, ['plugin', 'new', 'queue', '--kind', 'exec', '--folder', folder]);
  assert.equal(code, 0);
  assert.deepEqual(readdirSync(folder).sort(), ['README.md', 'plugin', 'test']);
  assert.equal(statSync(join(folder, 'plugin')).mode & 0o111, 0o111);
  assert.match(readFileSync(join(folder, 'README.md'), 'utf8'), /^# queue\n/);
  await testAndRun(t, folder, 'queue');
});

test('the example of a plugin to be run passes its own test, and an agent runs it', async (t) => {
  await testAndRun(t, join(PROJECT_ROOT, 'deploy/examples/exec-plugin'), 'diskfree');
});

test('nothing is ever overwritten, and a wrong call writes nothing', async (t) => {
  const folder = temporaryFolder(t);
  const taken = join(folder, 'taken');
  mkdirSync(taken);
  writeFileSync(join(taken, 'mine'), 'precious');
  for (const [words, code, sentence] of [
    [['x', '--folder', taken], 1, /taken is there already, and nothing in it is overwritten/],
    [['x', '--folder', join(taken, 'mine')], 1, /mine is there already/],
    [['x', '--folder', join(taken, 'mine/y')], 1, /y is there already|cannot be made/],
    [['X', '--folder', join(folder, 'a')], 2, /the name "X" must begin with a small letter/],
    [['../x', '--folder', join(folder, 'a')], 2, /must begin with a small letter/],
    [['stdout', '--folder', join(folder, 'a')], 2, /built into Fluent Bit/],
    [['x', '--kind', 'go', '--folder', join(folder, 'a')], 2, /no kind "go"; there are output and exec/],
    [['x', 'y', '--folder', join(folder, 'a')], 2, /"y" is one word too many/],
    [['--folder', join(folder, 'a')], 2, /plugin new needs a name/],
  ] as const) {
    const answer = await call(t, ['plugin', 'new', ...words]);
    assert.equal(answer.code, code, answer.stderr);
    assert.match(answer.stderr, sentence);
  }
  assert.deepEqual(readdirSync(folder), ['taken']);
  assert.deepEqual(readdirSync(taken), ['mine']);
  assert.equal(readFileSync(join(taken, 'mine'), 'utf8'), 'precious');
});

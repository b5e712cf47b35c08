import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AgentProcess } from '../support/agent-process.js';
import { compile, compilerSkipReason, pluginSource, registering } from '../support/c-library.js';
import { call, makeSetting, type Setting, startCall } from '../support/command-line.js';
import { builtGoOutput, forAnotherMachine, goSkipReason } from '../support/go-outputs.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const withCompiler = { skip: compilerSkipReason };

interface Files {
  readonly setting: Setting;
  /** Of `-c`. */
  readonly outputs: string;
}

/** A setting with plugins.conf, which lists libraries, and outputs.conf with these sections. */
function makeFiles(t: TestContext, libraries: readonly string[], sections: string): Files {
  const setting = makeSetting(t);
  const { folder } = setting;
  const paths = libraries.map((path) => `    Path ${path}\n`).join('');
  writeFileSync(join(folder, 'plugins.conf'), `[PLUGINS]\n${paths}`);
  const outputs = join(folder, 'outputs.conf');
  writeFileSync(outputs, `[SERVICE]\n    Plugins_File plugins.conf\n${sections}`);
  return { setting, outputs };
}

const ALPHA = '[OUTPUT]\n    Name alpha\n    Match *\n';

test(
  'check -c says what would run, having asked each library in a process of its own',
  withCompiler,
  async (t) => {
    const library = compile(temporaryFolder(t), 'out_alpha', pluginSource(registering('alpha')));
    const { setting, outputs } = makeFiles(t, [library], `[INPUT]\n    Name cpu\n${ALPHA}`);
    const { code, stdout, stderr } = await call(t, ['check', '-f', setting.file, '-c', outputs]);
    assert.equal(code, 0, stderr);
    assert.ok(stdout.includes(`points to  the plugin alpha of ${library}, tags *\n`), stdout);
    assert.match(stderr, /^agent: warning: .*outputs\.conf:3: this agent has no use for \[INPUT\], ignored/m);
  },
);

test(
  'check -c names each library that cannot be used, with file, line and reason, exit status 2',
  withCompiler,
  async (t) => {
    const folder = temporaryFolder(t);
    const crash = compile(folder, 'out_crash', pluginSource('__builtin_trap();'));
    const good = compile(folder, 'out_alpha', pluginSource(registering('alpha')));
    const empty = compile(folder, 'out_empty', 'int nothing;');
    const foreign = forAnotherMachine(good, folder);
    writeFileSync(join(folder, 'text.so'), 'hello');
    const libraries = [crash, good, empty, foreign, join(folder, 'text.so'), join(folder, 'none.so')];
    const { setting, outputs } = makeFiles(t, libraries, ALPHA);
    const { code, stdout, stderr } = await call(t, ['check', '-f', setting.file, '-c', outputs]);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    const lines = stderr.trim().split('\n').slice(1);
    const expected = [
      [2, /out_crash\.so cannot be used: it does not register: its process ended by SIG(?:ILL|TRAP)/],
      [4, /out_empty\.so cannot be used: it does not export FLBPluginRegister/],
      [5, /other-machine\.so cannot be used: it is for another machine/],
      [6, /text\.so cannot be used: it is no shared object/],
      [7, /none\.so cannot be used: it is not there/],
    ] as const;
    assert.equal(lines.length, expected.length, stderr);
    for (const [index, [line, sentence]] of expected.entries()) {
      assert.ok(lines[index]?.startsWith(`${join(setting.folder, 'plugins.conf')}:${line}: `), lines[index]);
      assert.match(lines[index] ?? '', sentence);
    }
  },
);

for (const words of [['start'], ['start', '--daemon'], ['check']]) {
  test(
    `"agent ${words.join(' ')} -c" with mistakes starts nothing, exit status 2`,
    withCompiler,
    async (t) => {
      const library = compile(temporaryFolder(t), 'out_alpha', pluginSource(registering('alpha')));
      const wrong = makeFiles(t, [library], `${ALPHA}    Port 80\n    Retry_Limit never\n`);
      const syntax = await call(t, [...words, '-f', wrong.setting.file, '-c', wrong.outputs]);
      assert.equal(syntax.code, 2);
      assert.match(syntax.stderr, /outputs\.conf:6: \[OUTPUT\] Port is a key that the host keeps/);
      assert.match(syntax.stderr, /outputs\.conf:7: \[OUTPUT\] retry_limit = "never"/);
      const unknown = makeFiles(t, [library], '[OUTPUT]\n    Name stdout\n    Match *\n');
      const { code, stderr } = await call(t, [...words, '-f', unknown.setting.file, '-c', unknown.outputs]);
      assert.equal(code, 2);
      assert.match(
        stderr,
        /outputs\.conf:3: .*"stdout" is built into Fluent Bit itself; .* the libraries register "alpha"/,
      );
      assert.ok(!existsSync(unknown.setting.rundir) && !existsSync(wrong.setting.rundir));
    },
  );
}

test(
  'start -c with a library that is not there runs without it: a log line, and its output stands as failed',
  withCompiler,
  async (t) => {
    const library = compile(temporaryFolder(t), 'out_alpha', pluginSource(registering('alpha')));
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, 'plugins.conf'), `[PLUGINS]\n    Path ${library}\n    Path gone.so\n`);
    const sections = `${ALPHA}[OUTPUT]\n    Name gone\n    Match *\n`;
    writeFileSync(join(folder, 'outputs.conf'), `[SERVICE]\n    Plugins_File plugins.conf\n${sections}`);
    const agent = await AgentProcess.start(t, { words: ['-c', join(folder, 'outputs.conf')] });
    assert.equal((await agent.call('/post?ns=web.shop', '[{"name": "a", "value": 1}]')).status, 200);
    const outputs = await waitUntil('the good one has taken the point', async () => {
      const { body } = await agent.call('/plugins/outputs');
      // None in the answer of an agent whose publisher is busy.
      return body.outputs?.[0]?.deliveredPoints === 1 && body.outputs;
    });
    assert.deepEqual(
      outputs.map(({ instance, state }: { instance: string; state: string }) => [instance, state]),
      [
        ['alpha', 'running'],
        ['gone', 'failed'],
      ],
    );
    assert.match(agent.stderr, /plugins\.conf:3: the library .*gone\.so cannot be used: it is not there/);
    assert.equal(await agent.kill(), 0);
  },
);

test(
  '--daemon passes -c on, with relative paths, and the outputs of [[outputs]] run beside it',
  withCompiler,
  async (t) => {
    const folder = temporaryFolder(t);
    const alpha = compile(folder, 'out_alpha', pluginSource(registering('alpha')));
    const beta = compile(folder, 'out_beta', pluginSource(registering('beta')));
    const { setting, outputs } = makeFiles(t, [alpha], ALPHA);
    appendFileSync(setting.file, `[[outputs]]\nname = "beta"\nlibrary = "${beta}"\n`);
    const started = await startCall(t, ['start', '-f', setting.file, '-c', outputs, '--daemon']).ended;
    t.after(() => call(t, ['stop', '-f', setting.file]));
    assert.equal(started.code, 0, started.stderr);
    // A publisher that has yet to open its spools leaves the first question unanswered.
    const status = await waitUntil('the outputs stand in the status', async () => {
      const { stdout } = await call(t, ['status', '-f', setting.file]);
      return stdout.includes('alpha: ') && stdout;
    });
    assert.match(status, /beta: /);
    const stopped = await call(t, ['stop', '-f', setting.file]);
    assert.equal(stopped.code, 0, stopped.stderr);
  },
);

test('a real Golang plugin gets its own keys, in the classic and in the YAML form', {
  skip: goSkipReason,
}, async (t) => {
  const folder = temporaryFolder(t);
  const library = builtGoOutput('behaves');
  for (const [name, text] of [
    [
      'outputs.conf',
      `[SERVICE]\n    Plugins_File plugins.conf\n[OUTPUT]\n    Name behaves\n    Match collect.web.*\n    Id 1\n    EVENTS \${RESULTS}\n    calls \${RESULTS}.calls\n`,
    ],
    [
      'outputs.yaml',
      `plugins: ["${library}"]\npipeline:\n  outputs:\n    - {name: behaves, match_regex: ^collect, id: 1, Events: "\${RESULTS}", calls: "\${RESULTS}.calls"}\n`,
    ],
  ] as const) {
    writeFileSync(join(folder, 'plugins.conf'), `[PLUGINS]\n    Path ${library}\n`);
    writeFileSync(join(folder, name), text);
    const results = join(folder, `${name}.results`);
    const agent = await AgentProcess.start(t, {
      words: ['-c', join(folder, name)],
      environment: { RESULTS: results },
    });
    assert.equal((await agent.call('/post?ns=web.shop', '[{"name": "a", "value": 1}]')).status, 200);
    await waitUntil('the plugin has it', () => existsSync(results) && readFileSync(results).length > 0);
    assert.equal(await agent.kill(), 0);
  }
});

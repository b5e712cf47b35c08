import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GoFeeds } from '../support/go-feed.js';
import { builtCLibrary, builtGoOutput, forAnotherMachine, goSkipReason } from '../support/go-outputs.js';
import { ascending, upTo } from '../support/numbered-points.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const options = { skip: goSkipReason };

test('a panic is reported with its words, and what was under way is delivered again', options, async (t) => {
  const go = new GoFeeds(t, [{ properties: { panic_on: '3' } }]);
  for (const value of upTo(10)) {
    go.take([value]);
    await waitUntil('it is settled', () => go.secured.length === value + 1);
  }
  assert.deepEqual(ascending(new Set(go.values().map(Number))), upTo(10));
  const [report] = go.said('it is started again in');
  assert.equal(report?.level, 'error');
  assert.match(
    report.message,
    /behaves\.so \(go0\): its process ended: .*, panic: the plugin panics as it was told.*delivered again/,
  );
  assert.match(String(report.fields.stderr), /^panic: the plugin panics as it was told[\s\S]*\ngoroutine/);
  assert.ok(go.plugin().restarts >= 3);
  assert.match(String(go.status().lastError), /panic: /);
});

for (const [what, property, report] of [
  ['os.Exit', 'exit_on', /its process ended: exit code 5/],
  [
    'a bad memory access',
    'signal_on',
    /its process ended: .*(?:SIGSEGV|fatal error|unexpected fault address|panic: )/,
  ],
] as const) {
  test(
    `${what} in a flush is reported, costs nothing, and the others of the library go on`,
    options,
    async (t) => {
      const once = join(temporaryFolder(t), 'once');
      const go = new GoFeeds(t, [{ properties: { [property]: '2', once } }, {}]);
      for (const value of upTo(6)) {
        go.take([value]);
        await waitUntil('it is settled', () => go.secured.length === 2 * (value + 1));
      }
      for (const id of ['go0', 'go1'])
        assert.deepEqual(ascending(new Set(go.values(id).map(Number))), upTo(6));
      assert.match(String(go.said('it is started again in')[0]?.message), report);
      assert.equal(go.plugin(0).restarts, 1);
      assert.equal(go.plugin(0).pid, go.plugin(1).pid, 'they share a process');
      const again = go.status(0).retriedRecords + go.status(1).retriedRecords;
      assert.ok(go.events().length <= 12 + again, 'every duplicate is counted');
    },
  );
}

test(
  'a flush that hangs is ended after its time, tried again, and its neighbours lose nothing',
  options,
  async (t) => {
    const once = join(temporaryFolder(t), 'once');
    const go = new GoFeeds(t, [{ properties: { hang_on: '2', once }, flushTimeoutMs: 1500 }, {}]);
    go.take([0]);
    await waitUntil('it is settled', () => go.secured.length === 2);
    go.take([1]);
    await waitUntil('it is settled', () => go.secured.length === 4);
    // Twice where a flush was told only after its time, or its process ended for that of the other.
    for (const id of ['go0', 'go1']) assert.deepEqual(ascending(new Set(go.values(id).map(Number))), [0, 1]);
    assert.match(
      String(go.said('it is started again in')[0]?.message),
      /a flush of go0 did not come back within 1\.5 s, so its process was killed/,
    );
  },
);

test('a chunk that hangs every time uses up its Retry_Limit and is set aside', options, async (t) => {
  const go = new GoFeeds(t, [{ properties: { hang_on: '1' }, flushTimeoutMs: 500, retryLimit: 1 }, {}]);
  go.take([1]);
  await waitUntil('both have their fate', () => go.losses.length === 1 && go.secured.length === 1);
  assert.match(String(go.losses[0]?.reason), /did not come back.*the last of 2 tries/);
});

test(
  'a chunk that ends every process is found out among others and set aside in the end',
  options,
  async (t) => {
    const go = new GoFeeds(t, [{ properties: { panic_with: 'poison' } }, {}]);
    go.take(['poison'], 'a.shop');
    for (const value of upTo(5)) go.take([value], `n${value}.shop`);
    await waitUntil('all have their fate', () => go.losses.length === 1 && go.secured.length === 11, 180_000);
    assert.match(String(go.losses[0]?.reason), /has ended 10 processes: .*panic: /);
    assert.deepEqual(ascending(new Set(go.values('go0').map(Number))), upTo(5));
  },
);

test(
  'os.Exit in the init of an instance costs only that one: it gets a process of its own',
  options,
  async (t) => {
    const go = new GoFeeds(t, [
      { alias: 'bad', properties: { init_exits: 'true', init_says: 'no such server' } },
      { alias: 'good' },
    ]);
    go.take([1]);
    await waitUntil('the good one delivers', () => go.values('good').length === 1);
    await waitUntil('the bad one was tried again', () => go.said('while bad was initialised').length >= 2);
    const [report, again] = go.said('while bad was initialised');
    assert.match(
      String(report?.message),
      /behaves\.so \(.*\): its process ended: exit code 3 while bad was initialised; it is started again in/,
    );
    assert.match(String(report?.fields.stderr), /no such server/);
    assert.deepEqual(again?.fields.outputs, ['bad']);
    const pid = go.plugin(1).pid;
    await waitUntil('once more', () => go.said('while bad was initialised').length >= 3);
    assert.equal(go.plugin(1).pid, pid, 'the good one is left alone');
    assert.equal(go.plugin(0).state === 'running', false);
    assert.match(String(go.status(0).lastError), /exit code 3 while bad was initialised/);
  },
);

test('an init that fails, or never comes back, costs only its own instance', options, async (t) => {
  const go = new GoFeeds(t, [
    { alias: 'fails', properties: { init_fails: 'true' } },
    { alias: 'good' },
    { alias: 'hangs', properties: { init_hangs: 'true' }, flushTimeoutMs: 1000 },
  ]);
  go.take([1]);
  await waitUntil('the good one delivers', () => go.values('good').length === 1);
  await waitUntil(
    'both are reported',
    () =>
      go.said('FLBPluginInit returned 0').length > 0 &&
      go.said('FLBPluginInit of hangs did not come back').length > 0,
  );
  assert.match(
    String(go.said('FLBPluginInit returned 0')[0]?.message),
    /output fails: the plugin .*behaves\.so cannot work: FLBPluginInit returned 0; it is initialised again in/,
  );
  await waitUntil('the good one is up', () => go.plugin(1).state === 'running');
  go.take([2]);
  await waitUntil('and goes on', () => go.values('good').includes(2));
});

test('a library that ends its process as it is loaded is reported and costs no other', options, async (t) => {
  const go = new GoFeeds(t, [{ alias: 'exits', library: builtGoOutput('exits') }, { alias: 'good' }]);
  go.take([1]);
  await waitUntil('the good one delivers', () => go.values('good').length === 1);
  await waitUntil(
    'the other is reported',
    () => go.said('exits.so (exits): its process ended: exit code 7').length > 0,
  );
  assert.equal(go.status(0).isUp, false);
});

test('what is no plugin is named with what is wrong with it, and costs no other', options, async (t) => {
  const folder = temporaryFolder(t);
  const text = join(folder, 'text.so');
  writeFileSync(text, 'not a library');
  const noRegister = builtCLibrary(
    'no-register',
    'int FLBPluginInit(void *p) { return 1; }\nint FLBPluginFlush(void *d, int n, char *t) { return 1; }\n',
  );
  const noFlush = builtCLibrary(
    'no-flush',
    'int FLBPluginRegister(void *p) { return 0; }\nint FLBPluginInit(void *p) { return 1; }\n',
  );
  const input = builtCLibrary(
    'input',
    'int FLBPluginRegister(int *d) { d[0] = 1; d[1] = 11; *(char **)(d + 4) = "in"; return 0; }\nint FLBPluginInit(void *p) { return 1; }\nint FLBPluginFlush(void *d, int n, char *t) { return 1; }\n',
  );
  const go = new GoFeeds(t, [
    { alias: 'good' },
    { alias: 'text', library: text },
    { alias: 'missing', library: join(folder, 'missing.so') },
    { alias: 'machine', library: forAnotherMachine(noRegister, folder) },
    { alias: 'noregister', library: noRegister },
    { alias: 'noflush', library: noFlush },
    { alias: 'input', library: input },
    { alias: 'name', pluginName: 'another' },
    { alias: 'known', library: '/x.so', problem: 'no library registers "x"' },
  ]);
  go.take([1]);
  await waitUntil('the good one delivers', () => go.values('good').length === 1);
  const reports: Readonly<Record<string, RegExp>> = {
    text: /text\.so \(text\): it cannot be loaded: it is no ELF file/,
    missing: /missing\.so \(missing\): it cannot be loaded: .*(?:no such file|does not exist)/i,
    machine: /other-machine\.so \(machine\): it cannot be loaded: it is for another machine/,
    noregister: /no-register\.so \(noregister\): it does not export FLBPluginRegister/,
    noflush: /no-flush\.so \(noflush\): it does not export FLBPluginFlushCtx or FLBPluginFlush/,
    input: /input\.so \(input\): it registers a plugin of type 1, which is no output/,
    name: /output name: the plugin .*behaves\.so cannot work: the library registers "behaves", not "another"/,
    known: /output known: the plugin \/x\.so cannot work: no library registers "x"/,
  };
  for (const [alias, report] of Object.entries(reports)) {
    await waitUntil(`${alias} is reported`, () => go.lines.some(({ message }) => report.test(message)));
  }
  for (const [place] of Object.keys(reports).entries()) assert.equal(go.status(place + 1).isUp, false);
  assert.equal(go.status(0).isUp, true);
});

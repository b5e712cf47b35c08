import assert from 'node:assert/strict';
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { askRegistration } from '../../src/supervisor/go-library/registration.js';
import { compile, compilerSkipReason, pluginSource, registering } from '../support/c-library.js';
import { call } from '../support/command-line.js';
import { builtGoOutput, forAnotherMachine, goSkipReason } from '../support/go-outputs.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const withCompiler = { skip: compilerSkipReason };

interface Problem {
  readonly check: string;
  readonly message: string;
}

interface Module {
  readonly path: string;
  readonly version: string;
}

/** What `--json` prints. */
interface Found {
  readonly ok: boolean;
  readonly problems: readonly Problem[];
  readonly symbols: { readonly exported: readonly string[] } | null;
  readonly build: {
    readonly goVersion: string;
    readonly main: Module | null;
    readonly modules: readonly Module[];
    readonly settings: Readonly<Record<string, string>>;
  } | null;
  readonly registration: { readonly name: string; readonly events: string } | null;
}

/** What `--json` says, and the exit status. */
async function jsonOf(t: TestContext, library: string, environment: NodeJS.ProcessEnv = {}): Promise<Found> {
  const { code, stdout, stderr } = await call(t, ['plugin', 'check', '--json', library], environment);
  assert.equal(stderr, '');
  const found: Found = JSON.parse(stdout);
  assert.equal(code, found.problems.length === 0 ? 0 : 1);
  assert.equal(found.ok, found.problems.length === 0);
  return found;
}

/** The only problem of a library. */
async function problemOf(t: TestContext, library: string): Promise<string> {
  const { problems } = await jsonOf(t, library);
  assert.equal(problems.length, 1, JSON.stringify(problems));
  return problems[0]?.message ?? '';
}

test('a plugin that Go has built is in order, line by line', { skip: goSkipReason }, async (t) => {
  const library = builtGoOutput('behaves');
  const { code, stdout } = await call(t, ['plugin', 'check', library]);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^ {2}ok +file +a shared object for /m);
  assert.match(stdout, /^ {2}ok +libraries +.*libc/m);
  assert.match(stdout, /^ {2}ok +symbols +.*FLBPluginRegister, FLBPluginInit, /m);
  assert.match(stdout, /^ {2}ok +built by +go1\.\d+.*github\.com\/fluent\/fluent-bit-go v0\.0\.0-\d+/m);
  assert.match(stdout, /^ {2}ok +registers +"behaves" \(.+\), for logs$/m);
  assert.match(stdout, /^It can be used: Name behaves$/m);
  const found = await jsonOf(t, library);
  assert.match(found.build?.goVersion ?? '', /^go1\.\d+/);
  assert.equal(found.build?.settings['-buildmode'], 'c-shared');
  assert.equal(found.registration?.name, 'behaves');
  assert.equal(found.registration?.events, 'logs');
});

test('a library that calls os.Exit when it is loaded does not register, and the check goes on', {
  skip: goSkipReason,
}, async (t) => {
  assert.match(
    await problemOf(t, builtGoOutput('exits')),
    /its process ended with exit status \d+ .*loaded or registered/,
  );
});

test('required symbols that are missing are named, and nothing is loaded', withCompiler, async (t) => {
  const folder = temporaryFolder(t);
  const witness = join(folder, 'loaded');
  const source = `#include <stdio.h>
__attribute__((constructor)) static void load(void) { FILE *file = fopen("${witness}", "w"); if (file) fclose(file); }
int FLBPluginInit(void *plugin) { return 1; }
int FLBPluginExit(void) { return 1; }`;
  const library = compile(folder, 'out_none', source);
  const { problems, symbols, registration, build } = await jsonOf(t, library);
  assert.deepEqual(
    problems.map(({ message }) => / does not export (.*), which/.exec(message)?.[1]),
    ['FLBPluginRegister', 'FLBPluginFlushCtx or FLBPluginFlush'],
  );
  assert.deepEqual(symbols?.exported, ['FLBPluginInit', 'FLBPluginExit']);
  assert.deepEqual([registration, build], [null, null]);
  assert.throws(() => readFileSync(witness), /ENOENT/);
});

test('a symbol that is only used, or hidden, is not one that is exported', withCompiler, async (t) => {
  const source = `extern int FLBPluginInit(void *);
int (*use)(void *) = FLBPluginInit;
__attribute__((visibility("hidden"))) int FLBPluginRegister(void *def) { return 0; }
int FLBPluginFlush(const void *data, int length, const char *tag) { return 1; }`;
  const { problems } = await jsonOf(t, compile(temporaryFolder(t), 'out_hidden', source));
  assert.equal(problems.length, 2, JSON.stringify(problems));
});

test(
  'a library for another machine, a program and an object file are named for what they are',
  withCompiler,
  async (t) => {
    const folder = temporaryFolder(t);
    const good = compile(folder, 'out_good', pluginSource(registering('good')));
    assert.match(
      await problemOf(t, forAnotherMachine(good, folder)),
      /is for another machine \(.*, 64 bit, little endian\): this one is /,
    );
    const bytes = readFileSync(good);
    for (const [offset, value, expected] of [
      [4, 1, /32 bit/],
      [5, 2, /is .*, not a shared object|is for another machine/],
      [16, 1, /is an object file \(\.o\), not linked yet, not a shared object/],
      [16, 2, /is a program, not a shared object/],
      [16, 4, /is a core dump/],
    ] as const) {
      const copy = Buffer.from(bytes);
      copy[offset] = value;
      const file = join(folder, `copy-${offset}-${value}.so`);
      writeFileSync(file, copy);
      assert.match(await problemOf(t, file), expected);
    }
  },
);

test(
  'what is no library at all, or only a part of one, is a problem and no crash',
  withCompiler,
  async (t) => {
    const folder = temporaryFolder(t);
    const good = compile(folder, 'out_good', pluginSource(registering('good')));
    const cut = compile(folder, 'out_cut', pluginSource(registering('cut')));
    truncateSync(cut, 5000);
    const write = (name: string, content: string | Buffer) => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    for (const [file, expected] of [
      [write('empty.so', ''), /it is empty/],
      [write('text.so', 'hello'), /is no shared object, nor any other ELF file/],
      [write('script.so', '#!/bin/sh\n'), /it is a script/],
      [write('windows.so', 'MZ\0\0'), /it is a Windows program or DLL/],
      [write('archive.so', '!<arch>\nxyz'), /it is a static archive/],
      [write('short.so', '\x7fELF'), /is damaged/],
      [cut, /is damaged: a part of it lies behind its end/],
      [folder, /is a folder/],
      [join(folder, 'none.so'), /is not there/],
      ['/dev/null', /is no regular file/],
    ] as const) {
      assert.match(await problemOf(t, file), expected);
    }
    // Wherever it is damaged, there is an answer in time.
    const bytes = readFileSync(good);
    for (let place = 0; place < 64; place++) {
      const copy = Buffer.from(bytes);
      copy[place] = 0xff;
      const outcome = await call(t, ['plugin', 'check', write('damaged.so', copy)]);
      assert.ok(outcome.code === 0 || outcome.code === 1, `${place}: ${outcome.stderr}`);
      assert.equal(outcome.stderr, '');
      if (place % 8 !== 7) place += 5;
    }
  },
);

test(
  'a needed library that is not there is named, with who needs it; LD_LIBRARY_PATH and RUNPATH are followed',
  withCompiler,
  async (t) => {
    const folder = temporaryFolder(t);
    const inner = compile(folder, 'libinner', 'int inner(void) { return 1; }', '-Wl,-soname,libinner.so');
    compile(
      folder,
      'libouter',
      'int inner(void); int outer(void) { return inner(); }',
      '-Wl,-soname,libouter.so',
      inner,
    );
    const source = `${pluginSource(registering('needs'))}int outer(void); int use(void) { return outer(); }`;
    const linked = ['-L', folder, '-louter', '-Wl,--allow-shlib-undefined'];
    const library = compile(folder, 'out_needs', source, ...linked);
    const own = compile(folder, 'out_own', source, ...linked, '-Wl,-rpath,$ORIGIN', '-Wl,--enable-new-dtags');
    assert.match(
      await problemOf(t, library),
      /needs the library libouter\.so, which is not there: install its package, or name its folder/,
    );
    assert.deepEqual((await jsonOf(t, library, { LD_LIBRARY_PATH: folder })).problems, []);
    rmSync(inner);
    assert.match(
      await problemOf(t, own),
      /needs the library libinner\.so \(by way of .*libouter\.so\), which is not there/,
    );
  },
);

test('the note of a Go before 1.18, which only points to its texts, is read too', withCompiler, async (t) => {
  const modules = `path\\tmain\\nmod\\texample.com/old\\tv1.2.3\\t\\ndep\\texample.com/a\\tv0.1.0\\th1:x\\n=>\\texample.com/b\\tv0.2.0\\t\\n`;
  const source = `${pluginSource(registering('old'))}
struct text { const char *start; unsigned long length; };
static const char modules[] = "0123456789abcdef" "${modules}" "0123456789abcdef";
static struct text version = { "go1.16.15", 9 };
static struct text mod = { modules, sizeof modules - 1 };
__attribute__((section(".go.buildinfo"), used)) static struct {
  char magic[14]; unsigned char size, flags; struct text *version, *mod;
} info = { "\\xff Go buildinf:", 8, 0, &version, &mod };`;
  const { build, problems } = await jsonOf(t, compile(temporaryFolder(t), 'out_old', source));
  assert.deepEqual(problems, []);
  assert.equal(build?.goVersion, 'go1.16.15');
  assert.deepEqual(build?.main, { path: 'example.com/old', version: 'v1.2.3' });
  assert.deepEqual(build?.modules, [{ path: 'example.com/b', version: 'v0.2.0' }]);
});

const REFUSALS: readonly (readonly [string, string, RegExp])[] = [
  ['reports a failure', 'return -1;', /FLBPluginRegister reports a failure/],
  [
    'is an input',
    'def->type = 1; def->proxy = 11; def->name = "x"; return 0;',
    /registers a plugin of type 1/,
  ],
  [
    'is in no Golang',
    'def->type = 2; def->proxy = 1; def->name = "x"; return 0;',
    /registers a plugin of language 1/,
  ],
  ['has no name', 'def->type = 2; def->proxy = 11; return 0;', /registers no name/],
  ['crashes', 'return *(volatile int *)0;', /its process ended by SIGSEGV/],
  [
    'wants metrics',
    `def->event_type = 2; ${registering('m')}`,
    /wants metrics, which this agent does not deliver/,
  ],
];

for (const [what, body, expected] of REFUSALS) {
  test(`a library whose registration ${what} is a problem`, withCompiler, async (t) => {
    assert.match(await problemOf(t, compile(temporaryFolder(t), 'out_bad', pluginSource(body))), expected);
  });
}

test('a registration that hangs is ended after its time', withCompiler, async (t) => {
  const source = `#include <unistd.h>\n${pluginSource('for (;;) pause();')}`;
  const outcome = await askRegistration(compile(temporaryFolder(t), 'out_hang', source), 1000);
  assert.equal(outcome.kind, 'failed');
  assert.match(outcome.kind === 'failed' ? outcome.sentence : '', /it hangs: .* within 1 s/);
});

test('a library that uses a symbol which nobody has is said to, by name', withCompiler, async (t) => {
  const source = `int nobody_has_this(void);\n${pluginSource('return nobody_has_this();')}`;
  assert.match(
    await problemOf(t, compile(temporaryFolder(t), 'out_undefined', source)),
    /cannot be loaded: .*nobody_has_this/,
  );
});

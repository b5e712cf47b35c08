import { join } from 'node:path';
import spawn from 'cross-spawn';

/**
 * For the `skip` option of tests that need a C compiler: the reason when there is none, else false. Under CI=true always
 * false, so that those tests fail there.
 */
export const compilerSkipReason: string | false = skipReason();

/** Compiles C to a shared object `<name>.so` in a folder; answers its path. */
export function compile(folder: string, name: string, source: string, ...options: readonly string[]): string {
  const library = join(folder, `${name}.so`);
  const words = ['-shared', '-fPIC', '-x', 'c', '-', '-x', 'none', '-o', library, ...options];
  const result = spawn.sync('cc', words, { input: source, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`cc ${words.join(' ')}: ${result.error ?? result.stderr}`);
  return library;
}

/** What an output plugin in C needs least; `body` is that of FLBPluginRegister. */
export function pluginSource(body: string): string {
  return `struct def { int type, proxy, flags; char *name, *description; int event_type; };
int FLBPluginRegister(struct def *def) { ${body} }
int FLBPluginInit(void *plugin) { return 1; }
int FLBPluginFlush(const void *data, int length, const char *tag) { return 1; }
`;
}

/** The body that registers a name as a Golang output plugin does. */
export function registering(name: string): string {
  return `def->type = 2; def->proxy = 11; def->name = "${name}"; def->description = "about ${name}"; return 0;`;
}

function skipReason(): string | false {
  if (process.env.CI === 'true') return false;
  const result = spawn.sync('cc', ['--version'], { stdio: 'ignore' });
  return result.status === 0 ? false : 'there is no C compiler';
}

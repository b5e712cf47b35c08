import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import spawn from 'cross-spawn';
import { testCacheFolder } from './nsq-program.js';
import { PROJECT_ROOT } from './project-root.js';

/** Packages of `test/go-outputs`, each an output plugin. */
export type GoOutputName = 'behaves' | 'noctx' | 'exits' | 'strains';

const SOURCES = join(PROJECT_ROOT, 'test', 'go-outputs');

/**
 * For the `skip` option of tests that need Golang output plugins: the reason when there is no Go to build them with, else
 * false. Under CI=true always false, so that those tests fail there.
 */
export const goSkipReason: string | false = skipReason();

/** Builds an output plugin with Go, once for each content of its sources, and answers the path of the shared object. */
export function builtGoOutput(name: GoOutputName): string {
  return built(name, join(SOURCES, name), (scratch) => [
    'go',
    ['build', '-buildmode=c-shared', '-trimpath', '-o', scratch, `./${name}`],
  ]);
}

/** Builds a shared object of C from its source text. */
export function builtCLibrary(name: string, source: string): string {
  const folder = join(testCacheFolder(), `c-${hashOf([source])}`);
  const library = join(folder, `${name}.so`);
  if (existsSync(library)) return library;
  mkdirSync(folder, { recursive: true });
  return run(
    folder,
    library,
    (scratch) => ['gcc', ['-shared', '-fPIC', '-O2', '-x', 'c', '-', '-o', scratch]],
    source,
  );
}

function built(
  name: string,
  package_: string,
  command: (scratch: string) => readonly [string, readonly string[]],
): string {
  const sources = [
    ...['go.mod', 'go.sum'].map((file) => join(SOURCES, file)),
    ...readdirSync(package_).map((file) => join(package_, file)),
  ];
  const contents = sources.map((file) => readFileSync(file, 'utf8'));
  const folder = join(testCacheFolder(), `go-outputs-${hashOf([...contents, process.arch])}`);
  const library = join(folder, `${name}.so`);
  if (existsSync(library)) return library;
  mkdirSync(folder, { recursive: true });
  return run(folder, library, command);
}

/** Renamed into place, so that whoever looks meanwhile sees a whole library or none. */
function run(
  folder: string,
  library: string,
  command: (scratch: string) => readonly [string, readonly string[]],
  input?: string,
): string {
  const scratch = mkdtempSync(join(folder, 'build-'));
  try {
    const [program, args] = command(join(scratch, 'library.so'));
    const result = spawn.sync(program, [...args], {
      cwd: SOURCES,
      env: { ...process.env, CGO_ENABLED: '1', GOFLAGS: '-mod=readonly' },
      encoding: 'utf8',
      ...(input !== undefined && { input }),
    });
    if (result.status !== 0)
      throw new Error(`${program} ${args.join(' ')}: ${result.error ?? result.stderr}`);
    renameSync(join(scratch, 'library.so'), library);
    return library;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** A copy of a shared object that claims to be for another machine. */
export function forAnotherMachine(library: string, folder: string): string {
  const copy = join(folder, 'other-machine.so');
  const bytes = readFileSync(library);
  bytes.writeUInt16LE(bytes.readUInt16LE(ELF_MACHINE) === AARCH64 ? X86_64 : AARCH64, ELF_MACHINE);
  writeFileSync(copy, bytes);
  return copy;
}

/** Of the machine in the header of an ELF file, and two of them. */
const ELF_MACHINE = 18;
const X86_64 = 62;
const AARCH64 = 183;

function hashOf(texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text.length} ${text}`);
  return hash.digest('hex').slice(0, 16);
}

function skipReason(): string | false {
  if (process.env.CI === 'true') return false;
  const result = spawn.sync('go', ['version'], { stdio: 'ignore' });
  return result.status === 0 ? false : 'Go is missing, so that output plugins cannot be built';
}

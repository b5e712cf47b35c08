import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../support/project-root.js';

/** Builds the least that a plugin can be, a static program that writes a metric, into a folder; gives its path. */
export function buildLeastPlugin(folder: string): string {
  const source = join(folder, 'plugin.c');
  const program = join(folder, 'plugin');
  writeFileSync(
    source,
    '#include <unistd.h>\nint main(void){static const char m[]="[{\\"name\\":\\"up\\",\\"value\\":1}]\\n";return write(1,m,sizeof m-1)<0;}\n',
  );
  execFileSync('cc', ['-O2', '-static', '-o', program, source]);
  return program;
}

/** Builds the program that shows what starting programs costs at least (spawn-limit.c) into a folder; gives its path. */
export function buildSpawnLimit(folder: string): string {
  const program = join(folder, 'spawn-limit');
  execFileSync('cc', ['-O2', '-o', program, join(PROJECT_ROOT, 'test/bench/spawn-limit.c')]);
  return program;
}

import { execFileSync } from 'node:child_process';

/**
 * For the `skip` option of tests that compare with what another program says: the reason when it is not installed, else
 * false. Under CI=true always false, so that those tests fail there.
 */
export function withoutProgram(program: string, packageName: string): string | false {
  if (process.env.CI === 'true') return false;
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return false;
  } catch {
    return `${program} is missing (Debian: ${packageName})`;
  }
}

/** What a program prints, in English, its times in UTC. */
export function outputOf(program: string, ...parameters: readonly string[]): string {
  return execFileSync(program, parameters, {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
  });
}

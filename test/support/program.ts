import type { Program } from '../../src/workers/runner/started-process.js';

/** A program with nothing special about it, but for what a test says. */
export function programOf(program: Pick<Program, 'file'> & Partial<Program>): Program {
  return {
    args: [],
    folder: '/',
    environment: { PATH: '/usr/bin:/bin' },
    user: undefined,
    limits: [],
    nice: 0,
    cgroup: undefined,
    ...program,
  };
}

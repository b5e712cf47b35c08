import { existsSync } from 'node:fs';
import { codeOf, reasonOf } from '../../shared/coded-error.js';
import { programProblem } from './program-file.js';
import type { Program, StartProblem } from './started-process.js';

/** The sentence for an error that came of starting a process, and the exit value that shells give to such a command. */
export function startProblem(error: unknown, program: Program): StartProblem {
  const { file, user } = program;
  switch (codeOf(error)) {
    case 'ENOENT':
      return { value: 127, problem: missingPart(program), isShortage: false };
    case 'ENOTDIR':
      return { value: 127, problem: `its folder ${program.folder} is not a folder`, isShortage: false };
    case 'EACCES':
      return refused(
        `${user?.name ?? "the agent's user"} may not execute ${file}: it and every folder above need the right to execute`,
      );
    case 'EPERM':
      return refused(`the agent may not start it as ${user?.name ?? 'its own user'}: that takes root`);
    case 'E2BIG':
      return refused('its parameters and environment are too long for the system');
    case 'ETXTBSY':
      return refused(`${file} is being written to`);
    case 'ENOEXEC':
    case 'ELOOP':
      return { ...programFault(program), isShortage: false };
    case 'EAGAIN':
    case 'ENOMEM':
    case 'EMFILE':
    case 'ENFILE':
      return {
        value: 126,
        problem: `the system is out of processes, memory or descriptors (${reasonOf(error)})`,
        isShortage: true,
      };
    default:
      return refused(reasonOf(error));
  }
}

function refused(problem: string): StartProblem {
  return { value: 126, problem, isShortage: false };
}

function missingPart(program: Program): string {
  const { file, folder } = program;
  if (!existsSync(folder)) return `its folder ${folder} does not exist`;
  if (!existsSync(file)) return `${file} does not exist`;
  return programProblem(file, folder)?.problem ?? `the interpreter that ${file} needs does not exist`;
}

function programFault({ file, folder }: Program) {
  const fallback = { value: 126 as const, problem: `${file} is no program that this machine can execute` };
  return programProblem(file, folder) ?? fallback;
}

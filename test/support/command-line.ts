import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { PROJECT_ROOT } from './project-root.js';
import { temporaryFolder } from './temporary-folder.js';
import { waitUntil } from './wait-until.js';

/** How a call of the command line ended, and what it said. */
export interface CallResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A call of the command line that goes on. */
export interface Call {
  readonly process: ChildProcess;
  readonly ended: Promise<CallResult>;
  /** Resolves to what it has said by then. */
  says(pattern: RegExp): Promise<string>;
}

const LAUNCHER = join(PROJECT_ROOT, 'agent');

/** What each test has called, to be ended after it. */
const callsOf = new WeakMap<object, (() => Promise<unknown>)[]>();

async function endCalls(test: object): Promise<void> {
  await Promise.all((callsOf.get(test) ?? []).map((end) => end()));
}

/** Calls the launcher as an operator does; what is still running after the test is ended. */
export function startCall(
  test: Pick<TestContext, 'after'>,
  words: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Call {
  const child = spawn(LAUNCHER, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // The tests' own variable would be one that sets nothing.
    env: { ...process.env, AGENT_TEST_CACHE: undefined, ...environment },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<CallResult>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  const end = () => {
    child.kill('SIGKILL');
    return ended;
  };
  callsOf.set(test, [...(callsOf.get(test) ?? []), end]);
  test.after(end);
  const says = (pattern: RegExp) =>
    waitUntil(`the agent says ${pattern}`, () => {
      if (pattern.test(stdout + stderr)) return stdout + stderr;
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${stdout}${stderr}`);
      return undefined;
    });
  return { process: child, ended, says };
}

/** Calls the launcher and waits for its end. */
export function call(
  test: Pick<TestContext, 'after'>,
  words: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<CallResult> {
  return startCall(test, words, environment).ended;
}

/** A configuration of an agent without plugins, whose folders are all in a folder of the test. */
export interface Setting {
  readonly folder: string;
  readonly file: string;
  readonly rundir: string;
}

/** @param agentLines further lines of the table `[agent]` */
export function makeSetting(test: Pick<TestContext, 'after'>, agentLines = ''): Setting {
  // Hooks run in the order in which they are named: nobody may write to the folder while it is removed.
  test.after(() => endCalls(test));
  const folder = temporaryFolder(test);
  const file = join(folder, 'agent.toml');
  const rundir = join(folder, 'run');
  mkdirSync(join(folder, 'out'));
  writeFileSync(join(folder, 'registry.json'), '{}');
  writeFileSync(
    file,
    `[agent]
listen = "127.0.0.1:0"
registryaddr = "file:${folder}/registry.json"
pluginsdir = "${folder}/plugins"
rundir = "${rundir}"
statedir = "${folder}/state"
${agentLines}
[output]
name = "file"
path = "${folder}/out/points"
[log]
logdir = "${folder}/log"
`,
  );
  return { folder, file, rundir };
}

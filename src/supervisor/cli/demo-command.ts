import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError, codeOf } from '../../shared/coded-error.js';
import { asClientAddress, formatHostPort, parseHostPort } from '../../shared/host-port.js';
import { loadConfig } from '../config/load-config.js';
import { DEMO_NAMESPACE, type DemoFolder, makeDemoFolder, putNodeInPath } from '../demo/demo-folder.js';
import { prepareConfig } from '../lifecycle/prepared-config.js';
import type { Command, CommandOptions } from './command.js';
import { EXIT } from './exit-code.js';
import { runAgent } from './run-agent.js';
import { type StopWatch, watchForStop } from './stop-request.js';

const DEFAULT_LISTEN = '127.0.0.1:1232';

/** `agent demo` */
export const demoCommand: Command = {
  name: 'demo',
  summary: 'try it: three example plugins from local git repositories, points on stdout',
  help: `agent demo [--listen HOST:PORT]

Starts an agent that needs nothing around it: it makes git repositories of the example plugins in a scratch folder,
and a registry document that lists them; runs the plugins every few seconds, as you (as "nobody" when you are root),
and prints the points documents on stdout. Everything else goes to stderr, with curl lines to try.
Ctrl-C ends it and removes the scratch folder.

      --listen HOST:PORT  where HTTP is served; default ${DEFAULT_LISTEN}, port 0 takes any free port

Examples:
  agent demo
  agent demo --listen 127.0.0.1:0 >points.json

Exit status: 0 it was ended, 1 failure, 2 wrong call.`,
  options: { listen: { type: 'string' } },
  run: demo,
};

async function demo(options: CommandOptions): Promise<number> {
  const listen = options.text('listen') ?? DEFAULT_LISTEN;
  if (parseHostPort(listen) === undefined) {
    throw new CodedError(
      'usage',
      `demo: --listen ${JSON.stringify(listen)} is no address; write it as 127.0.0.1:1232, port 0 takes any free one`,
    );
  }
  let isEnded = false;
  // Until the agent has its own: a signal in the middle of making the folder must not leave it behind.
  const watch = watchForStop(['SIGINT', 'SIGTERM', 'SIGHUP'], () => {});
  void watch.asked.then(() => {
    isEnded = true;
  });
  try {
    const folder = makeDemoFolder(listen);
    process.once('exit', folder.remove);
    try {
      await untilSignalsAreIn();
      return isEnded ? EXIT.ok : await runDemo(listen, folder, watch);
    } finally {
      folder.remove();
      process.off('exit', folder.remove);
    }
  } catch (error) {
    await untilSignalsAreIn();
    // Ctrl-C reaches git too, whose failure then says nothing new.
    if (isEnded && codeOf(error) === 'demo') return EXIT.ok;
    throw error;
  } finally {
    watch.close();
  }
}

/** Signals that came while the thread was busy are dealt with when it has nothing else to do. */
async function untilSignalsAreIn(): Promise<void> {
  await sleep(1);
}

async function runDemo(listen: string, folder: DemoFolder, watch: StopWatch): Promise<number> {
  putNodeInPath(process.env);
  const loaded = loadConfig(folder.configFile, withoutOverrides(process.env));
  const run = runAgent(await prepareConfig(loaded, undefined, {}), {
    foreground: true,
    onReady: ({ tcpAddress }) => process.stderr.write(invitation(folder, tcpAddress)),
  });
  watch.close();
  try {
    return await run;
  } catch (error) {
    throw portIsTaken(error) ? takenPort(listen, error) : error;
  }
}

/** The demo is the same wherever it runs. */
function withoutOverrides(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('AGENT_')));
}

function invitation({ path, repos: [repo = ''] }: DemoFolder, boundTo: string): string {
  const parts = parseHostPort(boundTo);
  const tcpAddress = parts === undefined ? boundTo : formatHostPort(asClientAddress(parts));
  const metric = '[{"name": "answer", "value": 42}]';
  return `
The agent runs, its points documents follow on stdout. Ctrl-C ends it and removes ${path}.
Try, in another terminal:

  curl 'http://${tcpAddress}/plugins/list'
  curl 'http://${tcpAddress}/plugins/run?ns=${DEMO_NAMESPACE}&repo=${encodeURIComponent(repo)}'
  curl 'http://${tcpAddress}/post?ns=${DEMO_NAMESPACE}' -d '${metric}'

`;
}

function portIsTaken(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (codeOf(cause) === 'EADDRINUSE') return true;
  }
  return false;
}

function takenPort(listen: string, cause: unknown): CodedError {
  return new CodedError(
    'port-taken',
    `another program listens on ${listen} already; choose another port: "agent demo --listen 127.0.0.1:0" ` +
      'takes any free one, and so does "make run LISTEN=127.0.0.1:0"',
    { cause },
  );
}

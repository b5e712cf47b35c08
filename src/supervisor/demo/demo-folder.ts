import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { makeRepository } from './example-repository.js';

/** The namespace of the demo. */
export const DEMO_NAMESPACE = 'demo.local';

/** An example plugin: a folder below `deploy/examples/plugins`. */
interface Example {
  readonly folder: string;
  /** Of its repository, and of the plugin. */
  readonly project: string;
  /** Seconds. */
  readonly interval: number;
  readonly parameters: string;
}

const EXAMPLES_FOLDER = fileURLToPath(new URL('../../../../deploy/examples/plugins/', import.meta.url));

/** Everything that the demo needs, in one folder that is removed at its end. */
export interface DemoFolder {
  readonly path: string;
  /** Configuration of the agent. */
  readonly configFile: string;
  /** Git addresses of the example plugins, as the registry document names them. */
  readonly repos: readonly string[];
  remove(): void;
}

/**
 * Makes the folder: git repositories of the example plugins, a registry document that lists them, a configuration.
 * @param listen `host:port` of the HTTP server
 * @throws CodedError `demo`
 */
export function makeDemoFolder(listen: string): DemoFolder {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'agent-demo-')));
  const remove = () => rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  try {
    // Plugins may run as another user, who must get to them.
    chmodSync(path, 0o755);
    const examples = chooseExamples();
    const repos = examples.map(({ folder, project }) => {
      const repository = join(path, 'repositories', project);
      makeRepository(join(EXAMPLES_FOLDER, folder), repository);
      return pathToFileURL(repository).href;
    });
    const registryFile = join(path, 'registry.json');
    writeFileSync(registryFile, registryDocument(examples, repos));
    const configFile = join(path, 'config.toml');
    writeFileSync(configFile, configuration(path, registryFile, listen));
    mkdirSync(join(path, 'run'), { mode: 0o755 });
    return { path, configFile, repos, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function chooseExamples(): Example[] {
  const uptime = { project: 'uptime', interval: 3, parameters: '' };
  const examples: Example[] = [{ folder: 'shell', project: 'load', interval: 2, parameters: 'demo' }];
  if (isInPath('perl')) examples.push({ folder: 'perl', ...uptime });
  else if (isInPath('python3')) examples.push({ folder: 'python', ...uptime });
  examples.push({ folder: 'node', project: 'memory', interval: 5, parameters: '' });
  return examples;
}

function isInPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** As a registry sends its items: all values are strings. */
function registryDocument(examples: readonly Example[], repos: readonly string[]): string {
  const items = examples.map(({ project, interval, parameters }, index) => ({
    measurement_type: 'PLUGIN',
    name: `PLUGIN.${project}`,
    git: repos[index],
    interval: String(interval),
    parameters,
  }));
  return `${JSON.stringify({ [DEMO_NAMESPACE]: items }, null, 2)}\n`;
}

/** JSON's way to write a string is one of TOML's. */
function configuration(path: string, registryFile: string, listen: string): string {
  const folder = (name: string) => JSON.stringify(join(path, name));
  const asRoot = process.geteuid?.() === 0;
  return `# Made by "agent demo".
[agent]
listen = ${JSON.stringify(listen)}
registryaddr = ${JSON.stringify(`file:${registryFile}`)}
pluginsdir = ${folder('plugins')}
pluginsuser = ${asRoot ? '"nobody"' : '""'}
gitprotocols = ["file"]
rundir = ${folder('run')}
statedir = ${folder('state')}

[output]
name = "stdout"

# What the example plugins print is easier to see without.
[host]
collect = []

[log]
logdir = ${folder('log')}
`;
}

/** Plugins find programs by the agent's PATH; the Node.js that runs the agent need not be in it. */
export function putNodeInPath(environment: NodeJS.ProcessEnv): void {
  const folders = (environment.PATH ?? '').split(delimiter);
  if (folders.some((folder) => existsSync(join(folder, 'node')))) return;
  environment.PATH = [...folders, dirname(process.execPath)]
    .filter((folder) => folder !== '')
    .join(delimiter);
}

import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CodedError, reasonOf } from '../../shared/coded-error.js';
import type { Config, OutputTable } from '../config/config.js';
import { problemList } from '../config/config-problem.js';
import type { GoOutput } from '../lifecycle/go-output-settings.js';
import { resolvePluginsUser } from '../lifecycle/plugins-user.js';
import { prepareConfig } from '../lifecycle/prepared-config.js';
import { withoutCredentials } from '../log/credentials.js';
import type { Command, CommandOptions } from './command.js';
import { EXIT } from './exit-code.js';
import { FILE_OPTION, loadConfigOf, OUTPUTS_OPTION, printWarnings, readOutputsOf } from './file-option.js';

/** `agent check` */
export const checkCommand: Command = {
  name: 'check',
  summary: 'say what is wrong with a configuration, or what would run',
  help: `agent check -f FILE [-c FILE]

Reads the configuration FILE as "start" does and prints all problems, each with line and key; or "ok" and what would
run. Starts nothing and writes nothing; only the libraries of Golang output plugins are loaded, each in a throw-away
process, to see which name it registers.

  -f, --file FILE     the configuration
  -c, --outputs FILE  Golang output plugins: a configuration of Fluent Bit, in its classic or YAML form

Example:
  agent check -f /etc/agent/agent.toml && agent start -f /etc/agent/agent.toml

Exit status: 0 ok, 2 something is wrong.`,
  options: { ...FILE_OPTION, ...OUTPUTS_OPTION },
  run: check,
};

async function check(options: CommandOptions): Promise<number> {
  const loaded = await prepareConfig(
    loadConfigOf(checkCommand, options),
    readOutputsOf(options),
    process.env,
  );
  printWarnings(loaded);
  if (loaded.failures.length > 0) throw new CodedError('config', problemList(loaded.failures));
  const { config } = loaded;
  const plugins = describePlugins(config);
  const rundirProblem = folderProblem(config.agent.rundir);
  if (rundirProblem !== undefined) throw new CodedError('config', `[agent] rundir: ${rundirProblem}`);
  for (const sentence of doubts(config)) process.stderr.write(`agent: warning: ${sentence}\n`);
  process.stdout.write(`ok: ${loaded.file}\n`);
  for (const [what, value] of [
    ['HTTP on', `${config.agent.listen}, and a unix socket in ${config.agent.rundir}`],
    ['registry', withoutCredentials(config.agent.registryaddr)],
    ['plugins', plugins],
    ...[config.output, ...config.outputs].flatMap(describeOutput).map((text) => ['points to', text] as const),
    ...loaded.goOutputs.map((output) => ['points to', describeGoOutput(output)] as const),
    ['state in', config.agent.statedir],
    ['spool', describeSpool(config.spool)],
    ['log', `${join(config.log.logdir, 'agent.log')}, from ${config.log.loglevel.toUpperCase()}`],
  ]) {
    process.stdout.write(`  ${what?.padEnd(10)} ${value}\n`);
  }
  return EXIT.ok;
}

/** @throws CodedError `pluginsuser` */
function describePlugins({ agent, runner }: Config): string {
  const user = resolvePluginsUser(agent.pluginsuser, runner.allowroot);
  const place = `in ${agent.pluginsdir}`;
  switch (user.kind) {
    case 'own':
      return `${place}, run as the user of the agent`;
    case 'other':
      return `${place}, run as ${user.user.name} (uid ${user.user.uid})`;
    case 'unknown':
      return `${place}, not run: there is no user "${user.name}"`;
  }
}

/** Nothing of a Golang output plugin, whose library is known only to its settings. */
function describeOutput(output: OutputTable): string | readonly string[] {
  const alias = output.alias === output.name ? '' : ` ("${output.alias}")`;
  switch (output.name) {
    case 'nsq':
      return `${describeServers(output)}, topics ${output.topicprefix}<namespace>${alias}`;
    case 'influxdb':
      return `InfluxDB ${output.version} at ${output.url}, ${describeDatabase(output)}${alias}`;
    case 'file':
      return `the file ${output.path}${alias}`;
    case 'stdout':
      return `stdout${alias}`;
    case 'go':
      return [];
  }
}

function describeGoOutput({ alias, pluginName, library, match, matchRegex }: GoOutput): string {
  const pattern = matchRegex === undefined ? match : `/${matchRegex}/`;
  const tags = pattern === undefined ? 'all tags' : `tags ${pattern}`;
  return `the plugin ${pluginName} of ${library}, ${tags}${alias === pluginName ? '' : ` ("${alias}")`}`;
}

function describeServers({ servers, lookupd }: OutputTable): string {
  const found =
    lookupd.length > 0 && `those that nsqlookupd ${lookupd.map(withoutCredentials).join(', ')} knows`;
  return `nsqd ${[servers.join(', '), found].filter(Boolean).join(' and ')}`;
}

function describeDatabase({ version, database }: OutputTable): string {
  return `${version === 2 ? 'bucket' : 'database'} ${database.replace('%s', '<namespace>')}`;
}

function describeSpool({ mode, dir, maxbytes }: Config['spool']): string {
  if (mode === 'off') return 'off: points wait in memory alone';
  return `${mode}, in ${dir}, ${maxbytes} bytes at most`;
}

/** What would not keep the agent from starting, but from doing its work. */
function doubts({ agent, log, runner, spool }: Config): string[] {
  const sentences: string[] = [];
  const user = resolvePluginsUser(agent.pluginsuser, runner.allowroot);
  if (user.kind === 'unknown') {
    sentences.push(
      `[agent] pluginsuser: there is no user "${user.name}" on this machine, no plugin would run`,
    );
  }
  for (const [key, folder] of [
    ['[agent] pluginsdir', agent.pluginsdir],
    ['[agent] statedir', agent.statedir],
    ...(spool.mode === 'off' ? [] : [['[spool] dir', spool.dir] as const]),
    ['[log] logdir', log.logdir],
  ] as const) {
    const problem = folderProblem(folder);
    if (problem !== undefined) sentences.push(`${key}: ${problem}`);
  }
  if (agent.registryaddr.startsWith('file:')) {
    const file = agent.registryaddr.slice('file:'.length);
    if (!existsSync(file)) sentences.push(`[agent] registryaddr: there is no file ${file} yet`);
  }
  return sentences;
}

/** Says why a folder could neither be written nor made; undefined when it could. */
function folderProblem(folder: string): string | undefined {
  let existing = folder;
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  try {
    accessSync(existing, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return `${folder} cannot be ${existing === folder ? 'written' : 'made'}: ${reasonOf(error)}`;
  }
}

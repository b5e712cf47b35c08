import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type AgentOptions, AgentProcess, type Answer, type RegistryItem } from './agent-process.js';
import type { ListedPlugin } from './answer-body.js';
import { makeRepository, type RepositoryContent } from './git-repository.js';
import { temporaryFolder } from './temporary-folder.js';
import { waitUntil } from './wait-until.js';
import type { WrittenPoint } from './written-document.js';

/** A plugin of the registry, as its items come. */
export function pluginItem(
  name: string,
  git: string,
  interval: string,
  more: Readonly<Record<string, string>> = {},
): RegistryItem {
  return { measurement_type: 'PLUGIN', name: `PLUGIN.${name}`, git, interval, ...more };
}

/** Makes repositories of plugins in a folder of the test's own; gives the address of each. */
export class PluginRepositories {
  readonly #folder: string;

  constructor(test: Pick<TestContext, 'after'>) {
    this.#folder = temporaryFolder(test);
  }

  /** A repository whose plugin is a shell script of these lines, or what `content` says. */
  make(name: string, content: string | RepositoryContent): string {
    return makeRepository(
      this.folderOf(name),
      typeof content === 'string' ? { plugin: `#!/bin/sh\n${content}\n` } : content,
    );
  }

  /** Where the repository of that name is. */
  folderOf(name: string): string {
    return join(this.#folder, name);
  }
}

/** A line of a plugin that prints one good metric, `up`. */
export const PRINT_UP = `echo '[{"name":"up","value":1}]'`;

/** The namespace of most tests. */
export const NAMESPACE = 'web.shop';

/** An agent that knows these plugins of `NAMESPACE`. */
export async function startWithPlugins(
  test: Pick<TestContext, 'after'>,
  items: readonly RegistryItem[],
  options: AgentOptions = {},
): Promise<AgentProcess> {
  const agent = await AgentProcess.start(test, { registry: { [NAMESPACE]: items }, ...options });
  await waitUntil('it knows its plugins', async () => (await plugins(agent)).length === items.length);
  return agent;
}

/** What `/plugins/list` says. */
export async function plugins(agent: AgentProcess): Promise<readonly ListedPlugin[]> {
  return (await agent.call('/plugins/list')).body.plugins;
}

/** What `/plugins/list` says of one plugin; undefined: nothing. */
export async function whenListed(agent: AgentProcess, project: string): Promise<ListedPlugin | undefined> {
  return (await plugins(agent)).find((plugin) => plugin.project === project);
}

/** What `/plugins/list` says of one plugin, which must be there. */
export async function listed(agent: AgentProcess, project: string): Promise<ListedPlugin> {
  const found = await whenListed(agent, project);
  if (!found) throw new Error(`${project} is not in /plugins/list`);
  return found;
}

/** Calls `/plugins/<path>` for a plugin; `more` is the rest of the query, with `&` in front. */
export function callPlugin<Path extends 'run' | 'update' | 'enable' | 'disable'>(
  agent: AgentProcess,
  path: Path,
  repo: string,
  more = '',
): Promise<Answer<`/plugins/${Path}?${string}`>> {
  return agent.call(`/plugins/${path}?ns=${NAMESPACE}&repo=${encodeURIComponent(repo)}${more}`);
}

/** The points of a measurement that an agent wrote to stdout so far. */
export function pointsOf(agent: AgentProcess, measurement: string): WrittenPoint[] {
  return agent
    .documents()
    .flatMap(({ points }) => points)
    .filter((point) => point.measurement === measurement);
}

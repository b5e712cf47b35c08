import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import type { DrainOutcome } from '../../shared/messages.js';
import { isOverWithin } from '../../shared/within.js';
import type { Config } from '../config/config.js';
import type { LoadedConfig } from '../config/load-config.js';
import { longestTopicPrefix } from '../config/topic-prefix.js';
import type { Posts } from '../delivery/posts.js';
import { startHttpServer } from '../http/server.js';
import { withoutCredentials } from '../log/credentials.js';
import { EventLoopLag } from '../metrics/event-loop-lag.js';
import { readHostIdentity } from '../registry/host-identity.js';
import { Registry } from '../registry/registry.js';
import { RegistryJobs } from '../registry/registry-jobs.js';
import { warnOfLeftSpools } from '../state/left-spools.js';
import { StateFolder } from '../state/state-folder.js';
import { AgentOperations } from './agent-operations.js';
import { agentVersion } from './agent-version.js';
import { type DeliveryPath, openDeliveryPath } from './delivery-path.js';
import type { GoOutput } from './go-output-settings.js';
import { Orphans } from './orphans.js';
import { openPluginParts, type PluginParts } from './plugin-parts.js';
import { PluginsUserLookup } from './plugins-user-lookup.js';
import type { PreparedConfig } from './prepared-config.js';
import { type RegistryFollowers, RegistrySync } from './registry-sync.js';
import { Releasers } from './releasers.js';
import { SOCKET } from './run-folder.js';

/** An agent that is up. */
export interface RunningAgent {
  /** `host:port` that it listens on. */
  readonly tcpAddress: string;
  readonly socketPath: string;
  /**
   * Stops gracefully: no new work, children ended, ring and outputs settled within a bound. Safe to call twice.
   * Resolves to what could not be delivered, and what waits on disk.
   */
  stop(): Promise<DrainOutcome>;
}

/** A start waits this long for the registry before it calls the agent up; the sync goes on behind. */
const FIRST_SYNC_PATIENCE_MS = 2000;

/** A stop waits this long for the broker to confirm what callers of `/post` wait for; less than the server closes within. */
const POSTS_PATIENCE_MS = 3000;

/** Beyond the grace that ended plugins have: callers hear how their runs went, or what became of their posts. */
const ANSWERS_PATIENCE_MS = 4000;

/** What the parts of an agent are made with. */
interface Foundation {
  readonly config: Config;
  readonly log: Log;
  readonly version: string;
  readonly host: string;
  readonly state: StateFolder;
  readonly releasers: Releasers;
  readonly publisherFile: URL | undefined;
  readonly goOutputs: readonly GoOutput[];
}

/** What an agent is started with, besides its configuration. */
export interface StartOptions {
  readonly log: Log;
  /** What the publisher thread executes; the publisher worker unless a test brings another one. */
  readonly publisherFile?: URL;
}

/**
 * Builds the agent from its parts and starts it.
 * @throws CodedError when a part cannot start; what was started by then is stopped again
 */
export async function startAgent(
  loaded: LoadedConfig & Partial<Pick<PreparedConfig, 'goOutputs'>>,
  { log, publisherFile }: StartOptions,
): Promise<RunningAgent> {
  const releasers = new Releasers(log);
  const { config } = loaded;
  const state = new StateFolder(config.agent.statedir, log);
  const foundation = {
    config,
    log,
    version: agentVersion(),
    host: hostname(),
    state,
    releasers,
    publisherFile,
    goOutputs: loaded.goOutputs ?? [],
  };
  try {
    return await start(foundation);
  } catch (thrown) {
    await releasers.releaseAll();
    throw thrown;
  }
}

async function start(foundation: Foundation): Promise<RunningAgent> {
  const { config, log, version, host, releasers } = foundation;
  log.info({ version }, `agent ${version} starts`);
  await warnOfLeftSpools(config.spool.dir, spooledAliases(foundation), log);
  const user = new PluginsUserLookup(config.agent.pluginsuser, config.runner.allowroot, log);
  const delivery = openDeliveryPath(foundation);
  openOrphans(foundation, delivery, user);
  const pluginParts = await openPluginParts(foundation, delivery, user);
  const followers = { plugins: pluginParts.plugins, hostThread: delivery.hostThread };
  const registryParts = await openRegistry(foundation, followers, user);
  const eventLoopLag = new EventLoopLag();
  releasers.add('the watch over the event loop', () => eventLoopLag.close());
  const operations = new AgentOperations({
    version,
    host,
    ...delivery,
    ...pluginParts,
    ...registryParts,
    eventLoopLag,
  });
  const server = await openServer(foundation, operations, pluginParts, delivery.posts);
  await firstSync(registryParts, log);
  return {
    tcpAddress: server.tcpAddress,
    socketPath: server.socketPath,
    stop: async () => {
      await releasers.releaseAll();
      return delivery.remains();
    },
  };
}

/** Of outputs that deliver what waits on disk. */
function spooledAliases({ config, goOutputs }: Foundation): readonly string[] {
  const { spool, output, outputs } = config;
  return spool.mode === 'off' ? [] : [output, ...outputs, ...goOutputs].map(({ alias }) => alias);
}

/** Behind the runner pool, so that what a stop ends is still looked after. */
function openOrphans(
  { log, releasers }: Foundation,
  { childTable }: DeliveryPath,
  lookup: PluginsUserLookup,
): void {
  const pluginsUid = () => {
    const runAs = lookup.runAs();
    return 'user' in runAs ? runAs.user?.uid : undefined;
  };
  const orphans = Orphans.open({ childTable, pluginsUid, log });
  if (orphans) releasers.add('the watch over orphans', () => orphans.close());
}

async function openRegistry(
  { config, log, version, host, state, releasers }: Foundation,
  followers: RegistryFollowers,
  user: PluginsUserLookup,
) {
  const { agent } = config;
  const registry = new Registry({
    address: agent.registryaddr,
    authorityFile: agent.registryca,
    timeoutMs: agent.registrytimeout * 1000,
    gitTemplate: agent.git,
    gitProtocols: agent.gitprotocols,
    topicPrefix: longestTopicPrefix(config),
    state,
    identity: () => readHostIdentity(agent.ifaceprefix),
    build: { version, commit: '', branch: '', buildTime: '', agentType: 'agent' },
    log,
  });
  releasers.add('the registry client', () => registry.close());
  const sync = new RegistrySync(registry, followers, withoutCredentials(agent.registryaddr), log);
  await sync.applyLastKnown();
  const jobs = new RegistryJobs({
    sync: async () => {
      user.refresh();
      return sync.now();
    },
    report: registry.documentPath === undefined ? () => registry.report() : undefined,
    documentPath: registry.documentPath,
    hostname: host,
    log,
  });
  releasers.add('the jobs of the registry', () => jobs.close());
  return { sync, syncNow: () => jobs.syncNow() };
}

async function openServer(
  { config, log, version, releasers }: Foundation,
  operations: AgentOperations,
  { runs, streams }: PluginParts,
  posts: Posts,
) {
  const { agent, http, runner } = config;
  await mkdir(agent.rundir, { recursive: true });
  const server = await startHttpServer(
    {
      listen: agent.listen,
      socketPath: join(agent.rundir, SOCKET),
      tokenFile: http.tokenfile,
      insecure: http.insecure,
      hosts: http.hosts,
      maxBodyBytes: http.maxbody,
      namespaces: http.namespaces,
      topicPrefix: longestTopicPrefix(config),
      version,
    },
    operations,
    log,
  );
  // Together: callers of /plugins/run wait for runs that are ended here, those of /post for the broker.
  releasers.add('the HTTP server', async () => {
    const answersWithinMs = runner.grace * 1000 + ANSWERS_PATIENCE_MS;
    const patience = setTimeout(() => posts.stopWaiting(), POSTS_PATIENCE_MS);
    streams.close();
    await Promise.all([runs.stop(), server.close(answersWithinMs)]);
    clearTimeout(patience);
    posts.stopWaiting();
  });
  log.info(
    { tcp: server.tcpAddress, socket: server.socketPath },
    `listening on ${server.tcpAddress} and ${server.socketPath}`,
  );
  return server;
}

/** Waits for the first sync only as long as a person would; it goes on and is tried again on its own. */
async function firstSync({ syncNow }: { readonly syncNow: () => Promise<unknown> }, log: Log): Promise<void> {
  const sync = syncNow().catch((thrown: unknown) => {
    log.warn({}, `going on with what is known: ${reasonOf(thrown)}`);
  });
  await isOverWithin(FIRST_SYNC_PATIENCE_MS, sync);
}

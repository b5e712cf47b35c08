import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { CodedError } from '../../src/shared/coded-error.js';
import type { RunOutcome } from '../../src/shared/messages.js';
import { SERVER_LIMITS, type ServerLimits } from '../../src/supervisor/http/limits.js';
import type {
  AgentStatus,
  Operations,
  PluginListing,
  PluginReference,
  RunRequest,
} from '../../src/supervisor/http/operations.js';
import { type HttpServer, type HttpSettings, startHttpServer } from '../../src/supervisor/http/server.js';
import { outputStatus } from './output-status.js';
import { type RecordedLine, recordingLog } from './recording-log.js';
import { temporaryFolder } from './temporary-folder.js';

export const KNOWN_REPO = 'https://git.example.com/ops/redis.git';

/** The server with an agent behind it that only notes what it is asked. */
export interface TestServer {
  readonly server: HttpServer;
  /** Short for the TCP address. */
  readonly address: string;
  readonly calls: Call[];
  readonly lines: readonly RecordedLine[];
}

/** A call of an operation: its name and what it was given. */
export type Call = readonly [name: string, ...given: unknown[]];

export interface TestServerOptions {
  readonly settings?: Partial<HttpSettings>;
  readonly limits?: Partial<ServerLimits>;
  readonly operations?: Partial<Operations>;
}

/** Starts a server on loopback that is closed when the test ends. */
export async function startTestServer(
  test: Pick<TestContext, 'after'>,
  options: TestServerOptions = {},
): Promise<TestServer> {
  const { log, lines } = recordingLog();
  const calls: Call[] = [];
  const server = await startHttpServer(
    { ...testSettings(test), ...options.settings },
    { ...notingOperations(calls), ...options.operations },
    log,
    { ...SERVER_LIMITS, ...options.limits },
  );
  test.after(() => server.close(0));
  return { server, address: server.tcpAddress, calls, lines };
}

export function testSettings(test: Pick<TestContext, 'after'>): HttpSettings {
  return {
    listen: '127.0.0.1:0',
    socketPath: join(temporaryFolder(test), 'agent.sock'),
    tokenFile: '',
    insecure: false,
    hosts: [],
    maxBodyBytes: 1024 * 1024,
    namespaces: 'any',
    topicPrefix: 'collect.',
    version: '1.2.3',
  };
}

/** Operations of a host in the one namespace `redis.shop`, with the one plugin `KNOWN_REPO`. */
export function notingOperations(calls: Call[]): Operations {
  const assertKnown = ({ repo }: PluginReference) => {
    if (repo !== KNOWN_REPO) throw new CodedError('unknown-plugin', `${repo} is unknown to the registry`);
  };
  return {
    namespaces: () => ['redis.shop'],
    status: () => STATUS,
    metrics: async () => ({
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
      text: '# HELP agent_info Of a test.\n# TYPE agent_info gauge\nagent_info 1\n',
    }),
    sync: async () => {
      calls.push(['sync']);
      const plugin = { namespace: 'redis.shop', repo: KNOWN_REPO };
      return { added: [plugin], changed: [], removed: [], unchanged: 3, problems: [] };
    },
    plugins: () => [LISTING],
    updatePlugin: async (plugin) => {
      assertKnown(plugin);
      calls.push(['updatePlugin', plugin]);
      return { before: undefined, after: 'c0ffee', changed: true };
    },
    runPlugin: async (plugin: PluginReference, request: RunRequest) => {
      assertKnown(plugin);
      calls.push(['runPlugin', plugin, request]);
      return OUTCOME;
    },
    setPluginEnabled: async (plugin, enabled) => {
      assertKnown(plugin);
      calls.push(['setPluginEnabled', plugin, enabled]);
      return enabled ? {} : { enabledAgainAt: '2030-01-02T03:04:05.000Z' };
    },
    post: async (namespace, body) => {
      calls.push(['post', namespace, body.toString()]);
      return { type: 'accepted', points: 1 };
    },
  };
}

/** How the agent behind the operations says that it stands. */
export const STATUS: AgentStatus = {
  version: '1.2.3',
  pid: 4711,
  startedAt: '2030-01-01T00:00:00.000Z',
  uptimeSeconds: 12.5,
  host: 'db1',
  namespaces: ['redis.shop'],
  plugins: { known: 1, enabled: 1, running: 0, failed: 0 },
  registry: { address: 'https://registry.example.com', lastSyncAt: '2030-01-01T00:00:01.000Z' },
  outputs: [
    outputStatus({ acceptedRecords: 5, acceptedPoints: 50, deliveredRecords: 5, deliveredPoints: 50 }),
  ],
  runs: { ok: 3, failed: 1, skipped: 0, waiting: 0, lateness: { p50Ms: 1, p99Ms: 2, maxMs: 3 } },
  posts: { accepted: 2, points: 20, refused: 0 },
  measured: [{ type: 'CPU', rounds: 4, points: 40 }],
};

const LISTING: PluginListing = {
  ns: 'redis.shop',
  name: 'redis',
  repo: KNOWN_REPO,
  project: 'redis',
  interval: 10,
  mode: 'run',
  enabled: true,
  enabledAgainAt: undefined,
  running: false,
  commit: 'c0ffee',
  state: 'ready',
  problem: undefined,
  nextRunAt: '2030-01-01T00:00:10.000Z',
  lastRun: { status: 'ok', value: 0, durationMs: 12.5, points: 4, endedAt: '2030-01-01T00:00:00.000Z' },
  runs: 4,
  skipped: 0,
};

const OUTCOME: RunOutcome = {
  status: 'exit',
  value: 3,
  exitCode: 3,
  signal: undefined,
  durationMs: 20,
  usage: { userMs: 1, systemMs: 2, maxRssBytes: 4096 },
  points: 0,
  badMetrics: 0,
  problem: 'exit code 3',
  stdoutEnd: '[]',
  stderrEnd: 'no such database',
};

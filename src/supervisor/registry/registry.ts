import { CodedError, reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import type { GitProtocol } from '../git/git-protocol.js';
import { allowedProtocols } from '../git/repository.js';
import { STATE_FILES } from '../state/state-files.js';
import type { StateFolder } from '../state/state-folder.js';
import type { HostIdentity } from './host-identity.js';
import {
  type AgentBuild,
  type ReportedIdentity,
  readReported,
  reportBody,
  writeReported,
} from './host-report.js';
import {
  type KnownRegistry,
  knownFromState,
  knownToState,
  learn,
  type RegistryAnswer,
} from './known-registry.js';
import type { RepositoryRules } from './plugin-item.js';
import { ProblemLog } from './problem-log.js';
import { parseRegistryAddress, type RegistryAddress } from './registry-address.js';
import { RegistryClient } from './registry-client.js';
import { readRegistryDocument } from './registry-document.js';
import { askRegistry } from './registry-round.js';
import type { RegistryView } from './registry-view.js';
import { buildView } from './view-builder.js';

/** How the registry is asked, and what is told to it. */
export interface RegistryOptions {
  /** `[agent] registryaddr`. */
  readonly address: string;
  /** `[agent] registryca`. */
  readonly authorityFile: string;
  readonly timeoutMs: number;
  /** `[agent] git`. */
  readonly gitTemplate: string;
  /** `[agent] gitprotocols`. */
  readonly gitProtocols: readonly GitProtocol[];
  /** `[output] topicprefix`; a namespace must fit behind it. */
  readonly topicPrefix: string;
  readonly state: StateFolder;
  /** Looks at the host anew each time, as names and addresses change. */
  readonly identity: () => HostIdentity;
  readonly build: AgentBuild;
  readonly log: Log;
  /** Of one answer, and of the document; 16 MiB when left out. */
  readonly maxAnswerBytes?: number;
}

const DEFAULT_MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** So many time-outs may pass in asking for the namespaces one after another. */
const PATIENCE_TIMEOUTS = 12;

/**
 * The central registry as the agent sees it: what it says now, or what it last said while it cannot be asked.
 * What was learnt is kept in the state folder, so that a restart does not need the registry.
 */
export class Registry {
  /** The registry's document where it is one on this machine; undefined for one that is asked by HTTP. */
  readonly documentPath: string | undefined;
  readonly #options: RegistryOptions;
  readonly #address: RegistryAddress;
  readonly #rules: RepositoryRules;
  readonly #maxAnswerBytes: number;
  readonly #problemLog: ProblemLog;
  readonly #clients = new Set<RegistryClient>();
  #known: KnownRegistry | undefined;
  /** By which name and addresses the registry knows this host. */
  #reported: ReportedIdentity | undefined;
  #loading: Promise<void> | undefined;
  #syncing: Promise<RegistryView> | undefined;
  /** Whether the round under way has asked already. */
  #asked = false;
  #following: Promise<RegistryView> | undefined;
  #reporting: Promise<void> | undefined;
  #savedText = '';
  #closed = false;

  /** Throws CodedError `config` or `git-address` for settings that cannot work. */
  constructor(options: RegistryOptions) {
    this.#options = { ...options, timeoutMs: Math.ceil(options.timeoutMs) };
    this.#address = parseRegistryAddress(options.address);
    this.documentPath = this.#address.kind === 'file' ? this.#address.path : undefined;
    this.#maxAnswerBytes = options.maxAnswerBytes ?? DEFAULT_MAX_ANSWER_BYTES;
    this.#problemLog = new ProblemLog(options.log);
    this.#rules = {
      template: options.gitTemplate,
      protocols: allowedProtocols({
        protocols: options.gitProtocols,
        template: options.gitTemplate,
        registryAddress: options.address,
      }),
    };
  }

  /** What is known without asking, from the state folder after a start; undefined when nothing is. */
  async lastKnown(): Promise<RegistryView | undefined> {
    await this.#load();
    return this.#known && buildView(this.#known, this.#rules, []);
  }

  /**
   * Asks the registry for everything. Calls at the same time share a round; a call that comes when the question
   * has left shares the round after that, so that nobody gets an answer older than his call.
   * A namespace that cannot be asked for keeps its last known items and is in `stale` and `problems`. Throws
   * CodedError `registry` when nothing can be asked; everything known stays as it was.
   */
  async sync(): Promise<RegistryView> {
    if (this.#syncing === undefined) return await this.#beginSync();
    if (!this.#asked) return await this.#syncing;
    this.#following ??= this.#syncing
      .catch(() => undefined)
      .then(() => {
        this.#following = undefined;
        return this.#syncing ?? this.#beginSync();
      });
    return await this.#following;
  }

  /**
   * Tells the registry about this host and agent. Does nothing for a document, or while no namespace was ever
   * learnt. Throws CodedError `registry` when the registry does not take it.
   */
  async report(): Promise<void> {
    this.#reporting ??= this.#report().finally(() => {
      this.#reporting = undefined;
    });
    await this.#reporting;
  }

  /** Ends requests that are under way; they fail. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(Array.from(this.#clients, (client) => client.close()));
    await Promise.allSettled([this.#syncing, this.#following, this.#reporting]);
  }

  #beginSync(): Promise<RegistryView> {
    this.#asked = false;
    this.#syncing = this.#sync().finally(() => {
      this.#syncing = undefined;
    });
    return this.#syncing;
  }

  async #sync(): Promise<RegistryView> {
    await this.#load();
    this.#asked = true;
    const answer = await this.#ask();
    this.#known = learn(this.#known ?? new Map(), answer);
    await this.#save(this.#known);
    const view = buildView(this.#known, this.#rules, answer.problems);
    this.#problemLog.say(view.problems);
    return view;
  }

  async #ask(): Promise<RegistryAnswer> {
    const { topicPrefix, timeoutMs } = this.#options;
    if (this.#address.kind === 'file') {
      return await readRegistryDocument(this.#address.path, this.#maxAnswerBytes, topicPrefix);
    }
    const identity = await this.#registeredIdentity();
    const answer = await this.#withClient((client) =>
      askRegistry(client, identity, topicPrefix, PATIENCE_TIMEOUTS * timeoutMs),
    );
    // The first report may be ten minutes away, and the host renamed until then.
    if (this.#reported === undefined) await this.#rememberReported(identity);
    return answer;
  }

  /**
   * Who to ask as. Asking under a name that the registry does not know registers a second machine, so a host that
   * was renamed reports first, and asks under its old name until that report is taken.
   */
  async #registeredIdentity(): Promise<HostIdentity> {
    const identity = this.#options.identity();
    const reported = this.#reported;
    if (reported === undefined || reported.hostname === identity.hostname) return identity;
    try {
      if (this.#known !== undefined) {
        await this.report();
        return identity;
      }
    } catch (error) {
      this.#options.log.warn(
        { hostname: identity.hostname },
        `this host is ${identity.hostname} now, the registry knows it as ${reported.hostname} until it takes a report: ${reasonOf(error)}`,
      );
    }
    return { ...identity, hostname: reported.hostname };
  }

  async #report(): Promise<void> {
    if (this.#address.kind === 'file') return;
    await this.#load();
    const known = this.#known;
    if (known === undefined) return;
    const { build } = this.#options;
    const identity = this.#options.identity();
    const body = reportBody(build, identity, this.#reported, known, new Date());
    await this.#withClient((client) => client.report(body));
    await this.#rememberReported(identity);
  }

  /** The registry goes by the new name from now on, so it counts even if it cannot be written down. */
  async #rememberReported({ hostname, addresses }: HostIdentity): Promise<void> {
    const { state, log } = this.#options;
    const reported = { hostname, addresses };
    if (JSON.stringify(reported) === JSON.stringify(this.#reported)) return;
    this.#reported = reported;
    try {
      await writeReported(state, reported);
    } catch (error) {
      log.warn({}, `after a restart it is not known how the registry knows this host: ${reasonOf(error)}`);
    }
  }

  async #withClient<T>(use: (client: RegistryClient) => Promise<T>): Promise<T> {
    if (this.#address.kind !== 'http') throw new Error('a registry document is not asked by HTTP');
    if (this.#closed)
      throw new CodedError('registry', 'the registry is not asked any more, the agent is stopping');
    const { authorityFile, timeoutMs, build } = this.#options;
    const client = new RegistryClient({
      address: this.#address,
      authorityFile,
      timeoutMs,
      maxAnswerBytes: this.#maxAnswerBytes,
      userAgent: `${build.agentType}/${build.version}`,
    });
    this.#clients.add(client);
    try {
      return await use(client);
    } finally {
      this.#clients.delete(client);
      await client.close();
    }
  }

  async #load(): Promise<void> {
    this.#loading ??= this.#readState();
    await this.#loading;
  }

  async #readState(): Promise<void> {
    const { state, topicPrefix } = this.#options;
    await state.removeLeftovers(STATE_FILES.registry);
    this.#reported = await readReported(state);
    this.#known = await state.read(STATE_FILES.registry, (value) => knownFromState(value, topicPrefix));
  }

  /** A state that cannot be written is no reason not to follow the registry. */
  async #save(known: KnownRegistry): Promise<void> {
    const { state, log } = this.#options;
    const value = knownToState(known);
    const text = JSON.stringify(value);
    if (text === this.#savedText) return;
    try {
      await state.write(STATE_FILES.registry, value);
      this.#savedText = text;
    } catch (error) {
      log.warn({}, `what the registry said would be lost at a restart: ${reasonOf(error)}`);
    }
  }
}

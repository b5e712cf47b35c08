import type { HostTypeName } from '../../shared/host-types.js';
import type { LogLevel } from '../../shared/log.js';
import type { EngineChoice } from '../../shared/messages.js';
import type { GoOutputSettings, PluginLogLevel, RetryLimit } from '../../shared/output-settings.js';
import type { PluginLimits } from '../../shared/plugin-limits.js';
import type { GitProtocol } from '../git/git-protocol.js';

/** Where the points can go. */
export const OUTPUT_NAMES = ['nsq', 'influxdb', 'stdout', 'file'] as const;

/** One of them, or a Golang output plugin, which only a further output can be. */
export type OutputName = (typeof OUTPUT_NAMES)[number] | 'go';

/** How messages to nsqd are compressed. */
export const COMPRESSIONS = ['none', 'deflate', 'snappy'] as const;

/** When points go to disk: when memory does not hold them or the output does not take them, all of them, or never. */
export const SPOOL_MODES = ['overflow', 'always', 'off'] as const;

/** One of them. */
export type SpoolMode = (typeof SPOOL_MODES)[number];

/** When a point on disk counts as stored: after every write to the disk itself, one a second, or when the system has it. */
export const FSYNC_POLICIES = ['interval', 'always', 'never'] as const;

/** One of them. */
export type FsyncPolicy = (typeof FSYNC_POLICIES)[number];

/** Namespaces that `/post` takes: any valid one, or only those of the host. */
export const POST_NAMESPACES = ['any', 'own'] as const;

/** One of them. */
export type PostNamespaces = (typeof POST_NAMESPACES)[number];

/**
 * The checked configuration, deep-frozen. Tables and keys are those of the file; every path in it is absolute.
 * Secrets are in files of their own, which it only names.
 */
export interface Config {
  readonly agent: AgentTable;
  readonly output: FirstOutputTable;
  /** Further outputs: the tables `[[outputs]]`, in the order of the file. */
  readonly outputs: readonly FurtherOutputTable[];
  readonly spool: SpoolTable;
  readonly log: LogTable;
  readonly http: HttpTable;
  readonly runner: RunnerTable;
  readonly host: HostTable;
}

/** `[agent]`: what the agent is and where its things are. */
export interface AgentTable {
  /** `host:port` of the HTTP server; `:port` means every address, port 0 one that the kernel chooses. */
  readonly listen: string;
  /** Network interfaces whose name begins so count as the host's own. */
  readonly ifaceprefix: readonly string[];
  /**
   * An http(s) URL without a slash at its end, or `file:` and an absolute path. Like `git` it can hold a user and
   * password: never shown as it stands.
   */
  readonly registryaddr: string;
  /** PEM file; empty: the authorities that Node brings. */
  readonly registryca: string;
  /** Seconds. */
  readonly registrytimeout: number;
  readonly pluginsdir: string;
  /** User name or number; empty: the agent's own user. */
  readonly pluginsuser: string;
  /** Address with one `%s` in it, or empty. */
  readonly git: string;
  readonly gitprotocols: readonly GitProtocol[];
  /** Seconds. */
  readonly gittimeout: number;
  /** Stands in front of the name of every posted metric. */
  readonly postprefix: string;
  /** Folder for what `stop` and `status` need: pid, socket. */
  readonly rundir: string;
  /** Folder for what survives a restart. */
  readonly statedir: string;
}

/** Where points go: `[output]`, or one of `[[outputs]]`. Keys that do not belong to its kind mean nothing. */
export interface OutputTable {
  readonly name: OutputName;
  /** Names the output in log and status, and its folder in the spool; no two have the same, in upper or lower case. */
  readonly alias: string;
  /** `nsq`: `host:port` each, every one once; never an address that means "all interfaces". */
  readonly servers: readonly string[];
  /** `nsq`: `host:port` or URL of each nsqlookupd; with one, `servers` may be empty. */
  readonly lookupd: readonly string[];
  /** `nsq` */
  readonly compression: (typeof COMPRESSIONS)[number];
  /** File of the output `file`, else empty. */
  readonly path: string;
  /** `influxdb`: http or https, without a slash at its end, never with a user or password in it. */
  readonly url: string;
  /** `influxdb`: whose write endpoint it is. */
  readonly version: 1 | 2 | 3;
  /** `influxdb`: database, or bucket of version 2; `%s` in it stands for the namespace. */
  readonly database: string;
  /** `influxdb` of version 2. */
  readonly organization: string;
  /** `influxdb` of version 1; empty: the database's default. */
  readonly retentionpolicy: string;
  /** `influxdb`: name of the tag that holds the namespace; empty: none. */
  readonly namespacetag: string;
  /** `influxdb`: file that holds the token; empty: none. With version 1 in place of a user. */
  readonly tokenfile: string;
  /** `influxdb` of version 1: user, and file that holds the password; both or none. */
  readonly username: string;
  readonly passwordfile: string;
  /** `influxdb`: requests are compressed. */
  readonly gzip: boolean;
  /** `influxdb`: points of one request, at most. */
  readonly batchsize: number;
  /** Points held in memory. */
  readonly buffersize: number;
  /** `nsq` */
  readonly topicprefix: string;
  /** `nsq`, `influxdb`: seconds until an unanswered server counts as failed. */
  readonly responsetimeout: number;
  /** `nsq`: TLS is required; with `influxdb` the URL says so. */
  readonly tls: boolean;
  /** PEM file; empty: the authorities that Node brings. */
  readonly tlsca: string;
  /** PEM files of the client certificate; both or none. */
  readonly tlscert: string;
  readonly tlskey: string;
  /** Name in the server's certificate; empty: the host of the address. */
  readonly tlsservername: string;
  /** True: the server's certificate is not checked. */
  readonly tlsinsecure: boolean;
  readonly authsecretfile: string;
}

/** `[output]`: the first output, and what holds for all of them. */
export interface FirstOutputTable extends OutputTable {
  readonly databaseprefix: string;
  /** Bytes of one message, at most. */
  readonly maxmessagesize: number;
  readonly plugins_file: string;
}

/** One of `[[outputs]]`. */
export interface FurtherOutputTable extends OutputTable, GoOutputKeys {}

/** Keys of an output that is a Golang output plugin; what has no value of its own is null. */
export interface GoOutputKeys {
  /** The name that the library registers; empty: whichever it is. */
  readonly plugin: string;
  /** Its file; empty: that of `[output] plugins_file` which registers the name. */
  readonly library: string;
  readonly match: string | null;
  readonly match_regex: string | null;
  readonly retry_limit: RetryLimit | null;
  readonly workers: number | null;
  readonly log_level: PluginLogLevel | null;
  /** Milliseconds. */
  readonly log_suppress_interval: number | null;
  /** Bytes. */
  readonly storage: { readonly total_limit_size: number | null };
  readonly format: GoOutputSettings['format'] | null;
  /** Seconds. */
  readonly flush: number;
  readonly grace: number;
  readonly flush_timeout: number | null;
  readonly dead_letter_file: string;
  /** Variables of the process that loads the library. */
  readonly environment: Readonly<Record<string, string>>;
  /** The plugin's own keys. */
  readonly properties: Readonly<Record<string, string>>;
}

/** `[spool]`: where points wait on disk. */
export interface SpoolTable {
  readonly mode: SpoolMode;
  /** Holds a folder for each output, named by its alias. */
  readonly dir: string;
  /** Bytes on disk of all outputs together. */
  readonly maxbytes: number;
  readonly fsync: FsyncPolicy;
}

/** `[log]`: the agent's own log. */
export interface LogTable {
  readonly logdir: string;
  /** The least level that is written; the file's `WARNING` is `warn` here. */
  readonly loglevel: LogLevel;
  /** Rotated files that are kept beside `agent.log`. */
  readonly logrotatenum: number;
  /** Bytes. */
  readonly logrotatesize: number;
}

/** `[http]`: who may call the agent. */
export interface HttpTable {
  /** Holds the bearer token; empty: none is asked for. */
  readonly tokenfile: string;
  /** Bytes of a request's body, at most. */
  readonly maxbody: number;
  readonly namespaces: PostNamespaces;
  /** True: requests from other hosts are taken without a token. */
  readonly insecure: boolean;
  /** Further names under which browsers may reach the agent, lower case. */
  readonly hosts: readonly string[];
}

/** `[runner]`: how plugins run, and what each of them may take up where its item says nothing else. */
export interface RunnerTable extends PluginLimits {
  readonly threads: number;
  /** Plugins that run on schedule at the same time, at most. */
  readonly maxprocesses: number;
  /** Plugins that run all the time, at most; beyond 2048 a thread it means nothing. */
  readonly maxstreams: number;
  /** Seconds a run may take, at most. */
  readonly maxtimeout: number;
  /** Seconds between SIGTERM and SIGKILL. */
  readonly grace: number;
  /** Bytes of a plugin's stdout, at most. */
  readonly maxoutput: number;
  /** How plugins are started. */
  readonly engine: EngineChoice;
  readonly allowroot: boolean;
  /** True: programs that plugins start may gain rights by set-user-id files. */
  readonly allowsetuid: boolean;
  /** Where the plugins' cgroups are: `auto` for below the agent's own, `off`, or the path of another one. */
  readonly cgroup: string;
  /** Names of the agent's own variables that plugins get too. */
  readonly environment: readonly string[];
}

/** `[host]`: what is measured of the host itself. */
export interface HostTable {
  /** Types that are measured; empty: none. */
  readonly collect: readonly HostTypeName[];
  /** `host:port` each; asked by the type TIME. */
  readonly ntpservers: readonly string[];
  /** True: the limits of the agent's own control group count as the machine's. */
  readonly cgroup: boolean;
  /** Folder that the type COREDUMP looks at. */
  readonly coredumpfolder: string;
  /** Seconds that one file system may take to answer. */
  readonly fstimeout: number;
}

import type { NsqTls } from './nsq-tcp/options.js';

/** Where points wait on disk, and when they go there. */
export interface SpoolSettings {
  /** Holds a folder of each output's own, named by its alias. */
  readonly folder: string;
  /** `overflow`: what memory does not hold, or the output does not take soon. `always`: all, before it is sent. */
  readonly mode: 'overflow' | 'always';
  /** Bytes on disk of all outputs together; each has an equal share. */
  readonly maxBytes: number;
  /** When a record counts as stored: see the spool's `FsyncPolicy`. */
  readonly fsync: 'always' | 'interval' | 'never';
}

/** One place where the points go. */
export type OutputSettings = {
  /** Names the output in log, status and metrics, and its folder in the spool; no two have the same. */
  readonly alias: string;
  /** Points that are held in memory for this output, at most. */
  readonly bufferSize: number;
} & (
  | NsqOutputSettings
  | InfluxdbOutputSettings
  | StdoutOutputSettings
  | FileOutputSettings
  | GoOutputSettings
);

/** Each document is a message on the topic of its namespace. */
export interface NsqOutputSettings {
  readonly name: 'nsq';
  /** `host:port` of the TCP port of each nsqd. */
  readonly servers: readonly string[];
  /** `host:port` or URL of the HTTP port of each nsqlookupd, which knows of more nsqd. */
  readonly lookupd: readonly string[];
  readonly compression: 'none' | 'deflate' | 'snappy';
  readonly topicPrefix: string;
  readonly hostname: string;
  readonly userAgent: string;
  readonly responseTimeoutMs: number;
  /** Longer messages are refused without asking nsqd. */
  readonly maxMessageBytes: number;
  /** Present: TLS is required. */
  readonly tls: NsqTls | undefined;
  readonly authSecret: string | undefined;
}

/** Points go to an InfluxDB write endpoint as line protocol. */
export interface InfluxdbOutputSettings {
  readonly name: 'influxdb';
  /** Base address, http or https, without a slash at its end. */
  readonly url: string;
  /** Which write endpoint: `/write`, `/api/v2/write` or `/api/v3/write_lp`. */
  readonly version: 1 | 2 | 3;
  /** Database of versions 1 and 3, bucket of version 2; `%s` in it stands for the namespace. */
  readonly database: string;
  /** Version 2 only. */
  readonly organization: string;
  /** Version 1 only; empty: the database's default. */
  readonly retentionPolicy: string;
  /** Name of a tag that holds the namespace; empty: none is added. */
  readonly namespaceTag: string;
  readonly gzip: boolean;
  /** Points of one request, at most; a document is not split. */
  readonly batchPoints: number;
  readonly responseTimeoutMs: number;
  readonly userAgent: string;
  readonly token: string | undefined;
  /** Basic authentication of version 1. */
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** PEM text of the authority; undefined: those that Node brings. */
  readonly ca: string | undefined;
  /** True: the server's certificate is not checked. */
  readonly insecure: boolean;
}

/** Each document is a line of the agent's standard output. */
export interface StdoutOutputSettings {
  readonly name: 'stdout';
}

/** Each document is a line of a file. */
export interface FileOutputSettings {
  readonly name: 'file';
  readonly path: string;
}

/** Tries of a chunk after the first one: so many, as many as it takes, or none. */
export type RetryLimit = number | 'unlimited' | 'none';

/** Which lines of a Golang output plugin's instance go to the log: those of this level and above; `off`: none. */
export type PluginLogLevel = 'off' | 'error' | 'warn' | 'info' | 'debug';

/**
 * Each point is an event for an instance of a Golang output plugin: a shared object with the C interface of Fluent Bit.
 * The instance is named by the alias. Instances of one library share a process, the output host.
 */
export interface GoOutputSettings {
  readonly name: 'go';
  /** Absolute path of the shared object. When `problem` is set it may be anything that an operator recognizes. */
  readonly library: string;
  /**
   * Why this instance cannot work, known before anything is loaded, in a sentence: no library registers the wanted name,
   * the file is missing. Nothing is started then; the output stands as failed, says this, and keeps its points.
   */
  readonly problem: string | undefined;
  /** The name that the library registers, for log and status; compared without case. A library that registers another is refused. */
  readonly pluginName: string;
  /** The plugin's own keys in the order of the file, values expanded. Keys compare without case; the first of two counts. */
  readonly properties: readonly (readonly [key: string, value: string])[];
  /** Keys that the host keeps for itself, in lower case: a plugin that asks for one gets NULL, and a warning is logged once. */
  readonly reservedKeys: readonly string[];
  /**
   * Which tags (topic prefix and namespace) it gets: a pattern in which `*` stands for any text, upper and lower case
   * being different. Undefined, and no `matchRegex` either: all of them.
   */
  readonly match: string | undefined;
  /** Source of a JavaScript regular expression that is known to compile; a tag is taken where it is found anywhere in it. */
  readonly matchRegex: string | undefined;
  /** In front of the namespace in the tag. */
  readonly topicPrefix: string;
  /** Where tags stand in a record: in a map `tags`, or beside the other keys, which win over tags of the same name. */
  readonly format: 'nested' | 'flat';
  /** A chunk is flushed when it is full or this old. */
  readonly flushMs: number;
  /** What a stop may take: flushes that are due, then the plugin's own end. */
  readonly graceMs: number;
  /** Flushes at once, at least 1. */
  readonly workers: number;
  readonly retryLimit: RetryLimit;
  /** The pause before try n is at random between the base and the lesser of the cap and base·2ⁿ. */
  readonly retryBaseMs: number;
  readonly retryCapMs: number;
  /** A flush or an init that takes longer is ended together with the process; the chunk counts as one to try again. */
  readonly flushTimeoutMs: number;
  /** Where documents go that the plugin refused; undefined: beside the spool, where there is one. Absolute. */
  readonly deadLetterFile: string | undefined;
  readonly logLevel: PluginLogLevel;
  /** The same complaint is logged again after so long; 0: the agent's own rule. */
  readonly logSuppressIntervalMs: number;
  /** Bytes of the spool for this output, where its share is larger; undefined: its share. */
  readonly storageLimitBytes: number | undefined;
  /** Environment of the host process beside the clean one (PATH, HOME, LANG, TZ), such as GOGC. Of instances that share it all together. */
  readonly hostEnvironment: Readonly<Record<string, string>>;
}

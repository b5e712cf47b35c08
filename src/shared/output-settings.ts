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
} & (NsqOutputSettings | InfluxdbOutputSettings | StdoutOutputSettings | FileOutputSettings);

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

import { CodedError } from '../coded-error.js';

/** Where an nsqd listens. */
export interface ServerAddress {
  /** As it was given, for people: `host:port`. */
  readonly text: string;
  /** Name or address, without brackets. */
  readonly host: string;
  readonly port: number;
}

const HOST_AND_PORT = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^\s:/[\]@]+)):(\d{1,5})$/;

/**
 * Reads `host:port`; an IPv6 address stands in brackets, `[::1]:4150`.
 * Throws CodedError `nsq-options` for anything else.
 */
export function parseServerAddress(text: string): ServerAddress {
  const match = HOST_AND_PORT.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new CodedError(
      'nsq-options',
      `"${text}" is no address of an nsqd: write host:port, for example 127.0.0.1:4150 or [::1]:4150`,
    );
  }
  return { text, host, port };
}

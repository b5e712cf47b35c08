import { CodedError } from '../../shared/coded-error.js';
import { parseHostPort } from '../../shared/host-port.js';

/** Where the server listens on TCP. */
export interface ListenAddress {
  /** Without brackets; undefined: every address of the host. */
  readonly host: string | undefined;
  /** 0: the kernel chooses. */
  readonly port: number;
}

/**
 * Reads `host:port`, `[v6]:port` or `:port`.
 * @throws CodedError `config`
 */
export function parseListenAddress(text: string): ListenAddress {
  const parts = parseHostPort(text);
  if (parts === undefined) {
    throw new CodedError(
      'config',
      `[agent] listen = ${JSON.stringify(text)} is no address; write it as "127.0.0.1:1232", "[::1]:1232" or ":1232"`,
    );
  }
  return { host: parts.host === '' ? undefined : parts.host, port: parts.port };
}

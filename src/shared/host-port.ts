import { isIPv4, isIPv6 } from 'node:net';

/** The two parts of an address like `nsqd.example.com:4150` or `[::1]:4150`. */
export interface HostPort {
  /** Without brackets; empty when only `:port` was given. */
  readonly host: string;
  readonly port: number;
}

/** Takes `host:port`, `[IPv6]:port` or `:port` apart; undefined when the text is none of these. */
export function parseHostPort(text: string): HostPort | undefined {
  const parts = /^(?:\[([^\]]*)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text);
  if (parts === null) return undefined;
  const [, bracketed, plain = '', digits] = parts;
  const port = Number(digits);
  if (port > 65_535) return undefined;
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port } : undefined;
  return plain === '' || isHostName(plain) ? { host: plain, port } : undefined;
}

/** Puts the two parts together again. */
export function formatHostPort({ host, port }: HostPort): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

const HOST_NAME_MAX = 253;
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/i;

/** True for an IPv4 address or a name that DNS could hold; `1.2.3.400` is neither. */
export function isHostName(text: string): boolean {
  if (isIPv4(text)) return true;
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  if (name.length === 0 || name.length > HOST_NAME_MAX) return false;
  const labels = name.split('.');
  return labels.every((label) => LABEL.test(label)) && !/^[0-9]+$/.test(labels.at(-1) ?? '');
}

/** The address under which a client reaches a server that was named by "all interfaces". */
export function asClientAddress({ host, port }: HostPort): HostPort {
  if (host === '' || host === '0.0.0.0') return { host: '127.0.0.1', port };
  if (isIPv6(host) && /^[0:]+$/.test(host)) return { host: '::1', port };
  return { host, port };
}

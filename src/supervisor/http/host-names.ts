import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Nothing else stands in a `Host` header; what a URL parser would forgive (`@`, `/`, blanks) is no host. */
const AUTHORITY = /^[\w.:[\]-]+$/;

/** A host as a URL names it. */
export interface Authority {
  /** Lower case, addresses in their shortest form without brackets, no dot at the end. */
  readonly host: string;
  /** Undefined: the scheme's own. */
  readonly port: string | undefined;
}

/** True for the addresses by which a machine talks to itself, IPv4 written as IPv6 included. */
export function isLoopback(address: string): boolean {
  // What nearly every request comes from; looking in the list costs more than all the rest of the access check.
  if (address === '127.0.0.1' || address === '::1') return true;
  const family = isIP(address);
  if (family === 0) return false;
  return LOOPBACK.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** Reads the text of a `Host` header; undefined when it is none. */
export function parseAuthority(text: string): Authority | undefined {
  if (!AUTHORITY.test(text)) return undefined;
  try {
    const url = new URL(`http://${text}`);
    return { host: plainHost(url.hostname), port: url.port === '' ? undefined : url.port };
  } catch {
    return undefined;
  }
}

/** A URL's host name without brackets and end dot. */
export function plainHost(text: string): string {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  return (bare.endsWith('.') ? bare.slice(0, -1) : bare).toLowerCase();
}

/**
 * Knows the names and addresses by which this machine may be called: loopback, the interfaces' addresses, its host
 * name (with the full names that `hostsFile` gives it), the listen address, and what the operator lists.
 * Any other name is somebody else's, even where it happens to lead here.
 */
export class OwnHosts {
  readonly #names: ReadonlySet<string>;

  /**
   * @param listenHost host part of the listen address; one that means every address names nothing
   * @param extra further names from the configuration
   */
  constructor(listenHost: string | undefined, extra: readonly string[], hostsFile = '/etc/hosts') {
    const machine = hostname();
    const names = ['localhost', machine, machine.split('.')[0] ?? machine, ...aliases(machine, hostsFile)];
    if (listenHost !== undefined && !isWildcard(listenHost)) names.push(listenHost);
    this.#names = new Set(
      [...names, ...extra].map((name) => parseAuthority(bracketed(name))?.host ?? plainHost(name)),
    );
  }

  includes(host: string): boolean {
    return this.#names.has(host) || isLoopback(host) || isInterfaceAddress(host);
  }
}

/** Names on the lines of a hosts file that carry the machine's own name: usually its full name. */
function aliases(machine: string, hostsFile: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(hostsFile, 'utf8');
  } catch {
    // A machine without this file has no further names.
    return [];
  }
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim().split(/\s+/).slice(1));
  return lines.filter((names) => names.includes(machine)).flat();
}

function isInterfaceAddress(host: string): boolean {
  if (isIP(host) === 0) return false;
  for (const addresses of Object.values(networkInterfaces())) {
    if (addresses?.some((address) => address.address === host)) return true;
  }
  return false;
}

function isWildcard(host: string): boolean {
  return host === '' || host === '0.0.0.0' || host === '::';
}

function bracketed(name: string): string {
  return isIP(name) === 6 ? `[${name}]` : name;
}

import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { hostname, type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

/** What the registry knows a host by. */
export interface HostIdentity {
  readonly hostname: string;
  /** IPv4 and IPv6, without link-local ones. */
  readonly addresses: readonly string[];
  /** Of the machine, without blanks; empty where it cannot be read. */
  readonly serial: string;
}

const SERIAL_FILE = '/sys/class/dmi/id/product_serial';

/** Looks at this host now. `interfacePrefixes` are the beginnings of the names of interfaces that count. */
export function readHostIdentity(interfacePrefixes: readonly string[]): HostIdentity {
  return {
    hostname: hostname(),
    addresses: hostAddresses(networkInterfaces(), interfacePrefixes),
    serial: readSerial(SERIAL_FILE),
  };
}

/** The addresses of interfaces that are up (only those are listed), not loopback, and named like one that counts. */
export function hostAddresses(
  interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>,
  prefixes: readonly string[],
): string[] {
  const addresses = new Set<string>();
  for (const [name, entries] of Object.entries(interfaces)) {
    if (!prefixes.some((prefix) => name.startsWith(prefix))) continue;
    for (const { address, internal } of entries ?? []) {
      if (!internal && !isLinkLocal(address)) addresses.add(address);
    }
  }
  return [...addresses];
}

/** The serial number of a machine without blanks; empty where the file cannot be read, as for ordinary users. */
export function readSerial(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\s/g, '');
  } catch {
    return '';
  }
}

/** 169.254.0.0/16 and fe80::/10. */
function isLinkLocal(address: string): boolean {
  return isIPv6(address) ? /^fe[89ab]/i.test(address) : address.startsWith('169.254.');
}

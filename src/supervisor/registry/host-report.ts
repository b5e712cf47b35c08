import { z } from 'zod';
import { STATE_FILES } from '../state/state-files.js';
import type { StateFolder } from '../state/state-folder.js';
import type { HostIdentity } from './host-identity.js';
import type { KnownRegistry } from './known-registry.js';
import type { ReportBody } from './registry-client.js';

/** What the agent says about itself in a report. */
export interface AgentBuild {
  readonly version: string;
  readonly commit: string;
  readonly branch: string;
  readonly buildTime: string;
  readonly agentType: string;
}

/**
 * By which name and addresses the registry knows this host: those of the last report that it took, and before the first
 * one those with which it was asked who this host is, as that registers a host.
 */
export type ReportedIdentity = Pick<HostIdentity, 'hostname' | 'addresses'>;

/** Undefined: the registry was never reached. */
export async function readReported(state: StateFolder): Promise<ReportedIdentity | undefined> {
  return await state.read(STATE_FILES.reported, (value) => STATE.parse(value));
}

/** To be called when the registry has answered, not before. Throws CodedError `state`. */
export async function writeReported(
  state: StateFolder,
  { hostname, addresses }: ReportedIdentity,
): Promise<void> {
  await state.write(STATE_FILES.reported, { version: 1, hostname, addresses });
}

/** The body of a report; the registry renames the machine when `update` is true. */
export function reportBody(
  build: AgentBuild,
  identity: HostIdentity,
  reported: ReportedIdentity | undefined,
  known: KnownRegistry,
  now: Date,
): ReportBody {
  const before = reported ?? identity;
  const ids = Array.from(known.values(), ({ id }) => id);
  return {
    uuid: ids.filter((id) => id !== ''),
    sn: identity.serial,
    ns: [...known.keys()],
    version: build.version,
    commit: build.commit,
    branch: build.branch,
    buildtime: build.buildTime,
    goversion: process.version,
    newhostname: identity.hostname,
    oldhostname: before.hostname,
    newiplist: identity.addresses,
    oldiplist: before.addresses,
    agenttype: build.agentType,
    update: before.hostname !== identity.hostname || !sameAddresses(before.addresses, identity.addresses),
    utime: now.toISOString(),
  };
}

const STATE = z.object({
  version: z.literal(1),
  hostname: z.string().min(1),
  addresses: z.array(z.string()),
});

/** The order in which the system lists addresses means nothing. */
function sameAddresses(one: readonly string[], other: readonly string[]): boolean {
  return JSON.stringify([...one].sort()) === JSON.stringify([...other].sort());
}

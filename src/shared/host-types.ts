/**
 * What is measured of the host itself. A type stands here with whether it runs where `[host] collect` says nothing, and
 * in a file of its name in `workers/host/types`.
 */
const BY_DEFAULT = {
  CPU: true,
  MEM: true,
  DISK: true,
  NET: true,
  FS: true,
  KERNEL: true,
  /** Asks somebody else: only where the configuration says whom. */
  TIME: false,
  COREDUMP: true,
  PORT: true,
  PROC: true,
  PSI: true,
  SYSTEM: true,
  CGROUP: true,
  /** Its cost grows with the connections of the host. */
  SOCKET: false,
} as const satisfies Readonly<Record<string, boolean>>;

/** One of them. */
export type HostTypeName = keyof typeof BY_DEFAULT;

/** All of them. */
export const HOST_TYPES = Object.keys(BY_DEFAULT) as [HostTypeName, ...HostTypeName[]];

/** Those that run where `[host] collect` says nothing. */
export const DEFAULT_HOST_TYPES: readonly HostTypeName[] = HOST_TYPES.filter((type) => BY_DEFAULT[type]);

import type { HostSettings } from '../../shared/host-messages.js';
import type { Config } from '../config/config.js';

/** The settings of the thread that measures the host. */
export function hostSettings({ agent, host }: Config): HostSettings {
  return {
    collect: host.collect,
    interfacePrefixes: agent.ifaceprefix,
    ntpServers: host.ntpservers,
    cgroup: host.cgroup,
    coreDumpFolder: host.coredumpfolder,
    fileSystemTimeoutMs: host.fstimeout * 1000,
  };
}

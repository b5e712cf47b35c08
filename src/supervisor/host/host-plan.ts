import type { HostPlan, WatchedPort, WatchedProcess } from '../../shared/host-messages.js';
import { HOST_TYPES, type HostTypeName } from '../../shared/host-types.js';
import { quoted } from '../../shared/quoted.js';
import type { HostItem, RegistryProblem, RegistryView } from '../registry/registry-view.js';

/** The plan, and items that it leaves out. */
export interface PlannedHost {
  readonly plan: HostPlan;
  readonly problems: readonly RegistryProblem[];
}

/** Items of these say where to look, and not how often. */
const FIXED_INTERVALS: ReadonlySet<string> = new Set<HostTypeName>(['PORT', 'PROC']);

const INTERVAL_MIN_SECONDS = 10;
const INTERVAL_MAX_SECONDS = 86_400;

const CONNECT_TIMEOUT_SECONDS = 3;
const CONNECT_TIMEOUT_MIN_SECONDS = 0.1;
/** Less than the interval of PORT. */
const CONNECT_TIMEOUT_MAX_SECONDS = 30;

/** Characters of a foreign text in a sentence. */
const SHOWN_MAX = 100;

/** What the registry wants to know of the host: for all its namespaces, and what its items say. */
export function planHost({
  namespaces,
  hostItems,
}: Pick<RegistryView, 'namespaces' | 'hostItems'>): PlannedHost {
  const intervals: Partial<Record<HostTypeName, number>> = {};
  const ports: WatchedPort[] = [];
  const processes: WatchedProcess[] = [];
  const problems: RegistryProblem[] = [];
  for (const item of hostItems) {
    const problem = (() => {
      if (item.type === 'PORT') return takePort(item, ports);
      if (item.type === 'PROC') return takeProcess(item, processes);
      return takeInterval(item, intervals);
    })();
    if (problem !== undefined) {
      problems.push({ namespace: item.namespace, name: item.fields.name ?? item.type, reason: problem });
    }
  }
  return { plan: { namespaces, intervals, ports, processes }, problems };
}

/** The last item of a type counts. */
function takeInterval(
  { type, fields }: HostItem,
  intervals: Partial<Record<HostTypeName, number>>,
): string | undefined {
  const name = HOST_TYPES.find((known) => known === type);
  if (name === undefined || FIXED_INTERVALS.has(name)) return undefined;
  const { interval = '' } = fields;
  if (interval.trim() === '') return undefined;
  const seconds = positiveNumber(interval);
  if (seconds === undefined) {
    return `interval ${quoted(interval, SHOWN_MAX)} is no number of seconds; ${type} is measured as often as usual`;
  }
  intervals[name] = Math.min(Math.max(seconds, INTERVAL_MIN_SECONDS), INTERVAL_MAX_SECONDS);
  return undefined;
}

function takePort({ namespace, fields }: HostItem, ports: WatchedPort[]): string | undefined {
  const { name = '', port: portText = '', connect_timeout: timeout = '' } = fields;
  if (!isMeasurement(name)) return nameProblem(name);
  const port = positiveNumber(portText);
  if (port === undefined || !Number.isInteger(port) || port < 1 || port > 65_535) {
    return `port ${quoted(portText, SHOWN_MAX)} is no number from 1 to 65535`;
  }
  const seconds = positiveNumber(timeout) || CONNECT_TIMEOUT_SECONDS;
  const bounded = Math.min(Math.max(seconds, CONNECT_TIMEOUT_MIN_SECONDS), CONNECT_TIMEOUT_MAX_SECONDS);
  ports.push({ namespace, name, port, connectTimeoutMs: bounded * 1000 });
  return undefined;
}

function takeProcess({ namespace, fields }: HostItem, processes: WatchedProcess[]): string | undefined {
  const { name = '', bin_path: text = '' } = fields;
  if (!isMeasurement(name)) return nameProblem(name);
  const path = text.trim();
  if (!path.startsWith('/'))
    return `bin_path ${quoted(text, SHOWN_MAX)} is no absolute path of an executable`;
  processes.push({ namespace, name, path });
  return undefined;
}

/** What may stand at the beginning of a measurement's name, with room for the rest. */
function isMeasurement(name: string): boolean {
  return /^[-_.a-zA-Z0-9]{1,400}$/.test(name);
}

function nameProblem(name: string): string {
  return `the name ${quoted(name, SHOWN_MAX)} must be letters, digits, "-", "_" or "."`;
}

/** Zero counts, as an interval that is too short. */
function positiveNumber(text: string): number | undefined {
  const trimmed = text.trim();
  return /^[0-9]+(?:\.[0-9]+)?$/.test(trimmed) ? Number(trimmed) : undefined;
}

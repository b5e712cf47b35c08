import type { PluginLogLevel } from '../../../shared/output-settings.js';
import { quoted } from '../../../shared/quoted.js';
import { nearestName } from '../nearest-name.js';
import { type KeyReading, readLogLevel, readSeconds } from './host-keys.js';
import type { Notes } from './notes.js';
import type { Place, Section } from './section.js';
import type { Variables } from './variables.js';

/** What holds for all outputs of a file. */
export interface Service {
  /** As they are written, with the place. */
  readonly pluginsFiles: readonly { readonly path: string; readonly place: Place }[];
  readonly flushMs: number;
  readonly graceMs: number;
  /** Of outputs that have none of their own. */
  readonly logLevel: PluginLogLevel;
  readonly retryBaseMs: number;
  readonly retryCapMs: number;
}

/** What a file without `[SERVICE]` means. */
export const DEFAULT_SERVICE: Service = {
  pluginsFiles: [],
  flushMs: 1000,
  graceMs: 5000,
  logLevel: 'info',
  retryBaseMs: 5000,
  retryCapMs: 2_000_000,
};

type NumberKey = 'flushMs' | 'graceMs' | 'retryBaseMs' | 'retryCapMs';

const NUMBER_KEYS: Readonly<Record<string, { property: NumberKey; least: number; most: number }>> = {
  flush: { property: 'flushMs', least: 0.01, most: 3600 },
  grace: { property: 'graceMs', least: 0, most: 86_400 },
  'scheduler.base': { property: 'retryBaseMs', least: 0.01, most: 86_400 },
  'scheduler.cap': { property: 'retryCapMs', least: 0.01, most: 86_400 },
};

const KNOWN_KEYS = ['plugins_file', 'log_level', ...Object.keys(NUMBER_KEYS)];

/** Keys of Fluent Bit itself that look like one of those. */
const FOREIGN_KEYS = ['parsers_file', 'streams_file', 'log_file', 'daemon'];

const SHOWN_LENGTH = 60;

/** Reads the `[SERVICE]` sections, one after another. Keys that mean nothing here are named in one warning. */
export function readServiceSections(
  sections: readonly Section[],
  variables: Variables,
  notes: Notes,
): Service {
  let service = DEFAULT_SERVICE;
  const ignored = new Map<string, Place>();
  for (const { key, value: written, place } of sections.flatMap(({ entries }) => entries)) {
    const name = key.toLowerCase();
    const value = notes.expanded(written, place, variables);
    if (!KNOWN_KEYS.includes(name)) ignored.set(key, place);
    else if (value !== '') service = withKey(service, name, value, place, notes);
  }
  warnOfIgnored(ignored, notes);
  service = withinStop(service, sections, notes);
  if (service.retryBaseMs > service.retryCapMs) return { ...service, retryCapMs: service.retryBaseMs };
  return service;
}

/** `Grace` is part of what a stop of the agent may take. */
const GRACE_MAX_MS = 30_000;

function withinStop(service: Service, [first]: readonly Section[], notes: Notes): Service {
  if (service.graceMs <= GRACE_MAX_MS || first === undefined) return service;
  const sentence = `[SERVICE] Grace is taken as ${GRACE_MAX_MS / 1000} s: a stop of this agent may take no longer`;
  notes.warn(first.place, sentence);
  return { ...service, graceMs: GRACE_MAX_MS };
}

function withKey(service: Service, name: string, value: string, place: Place, notes: Notes): Service {
  if (name === 'plugins_file') {
    return { ...service, pluginsFiles: [...service.pluginsFiles, { path: value, place }] };
  }
  const number = NUMBER_KEYS[name];
  const property = number?.property ?? 'logLevel';
  const reading: KeyReading<unknown> =
    number === undefined ? readLogLevel(value) : readSeconds(value, number.least, number.most);
  if ('value' in reading) return { ...service, [property]: reading.value };
  notes.problem(place, `[SERVICE] ${name} = ${quoted(value, SHOWN_LENGTH)}: ${reading.problem}`);
  return service;
}

function warnOfIgnored(ignored: ReadonlyMap<string, Place>, notes: Notes): void {
  const [first] = ignored.values();
  if (first === undefined) return;
  const names = [...ignored.keys()].map((key) => {
    const isForeign = FOREIGN_KEYS.includes(key.toLowerCase());
    const near = isForeign ? undefined : nearestName(key, KNOWN_KEYS);
    return near === undefined ? key : `${key} (did you mean ${near}?)`;
  });
  notes.warn(
    { file: first.file, line: first.line },
    `[SERVICE]: this agent has no use for ${names.join(', ')}, ignored`,
  );
}

import { quoted } from '../../../shared/quoted.js';
import { nearestName } from '../nearest-name.js';
import {
  HOST_KEY_NAMES,
  HOST_KEY_READERS,
  type HostKeys,
  type KeyReading,
  NO_HOST_KEYS,
  REFUSED_KEYS,
  REFUSED_SENTENCE,
} from './host-keys.js';
import type { Notes } from './notes.js';
import type { Place, Section } from './section.js';
import type { Variables } from './variables.js';

/** An output as its file describes it: what a plugin of that name is to get. */
export interface OutputDraft {
  /** Of the section. */
  readonly place: Place;
  /** The name that the plugin registers. */
  readonly pluginName: string;
  readonly host: HostKeys;
  /** The plugin's own keys, in their order. */
  readonly properties: readonly (readonly [key: string, value: string])[];
  /** Variables of the process that loads the library. */
  readonly hostEnvironment: Readonly<Record<string, string>>;
}

/** Stands in front of keys that only this agent has, so that none is taken from a plugin. */
const OWN_PREFIX = 'agent.';

/** Variables of the host process: `agent.env.GOGC 400`. */
const ENVIRONMENT_PREFIX = 'agent.env.';

const SHOWN_LENGTH = 60;

/** Reads an `[OUTPUT]` section; what is wrong or odd about it goes to the notes. */
export function readOutputSection(section: Section, variables: Variables, notes: Notes): OutputDraft {
  const reader = new OutputReader(section, variables, notes);
  return reader.read();
}

class OutputReader {
  readonly #section: Section;
  readonly #variables: Variables;
  readonly #notes: Notes;
  #pluginName = '';
  #host: HostKeys = NO_HOST_KEYS;
  readonly #properties: [string, string][] = [];
  readonly #environment: Record<string, string> = {};
  readonly #seen = new Set<string>();

  constructor(section: Section, variables: Variables, notes: Notes) {
    this.#section = section;
    this.#variables = variables;
    this.#notes = notes;
  }

  read(): OutputDraft {
    for (const { key, value, place } of this.#section.entries) {
      const expanded = this.#notes.expanded(value, place, this.#variables);
      // As in Fluent Bit: a key of nothing is a key that is not set.
      if (expanded !== '') this.#readEntry(key, expanded, place);
    }
    const { place } = this.#section;
    if (!this.#seen.has('name')) {
      this.#notes.problem(place, '[OUTPUT]: Name is missing: write the name that the plugin registers');
    }
    if (!this.#seen.has('match') && !this.#seen.has('match_regex')) {
      const sentence = 'Match is missing, so it would get nothing: write  Match *  for everything';
      this.#notes.problem(place, `[OUTPUT] ${this.#pluginName}: ${sentence}`);
    }
    return {
      place,
      pluginName: this.#pluginName,
      host: this.#host,
      properties: this.#properties,
      hostEnvironment: this.#environment,
    };
  }

  #readEntry(key: string, value: string, place: Place): void {
    const name = key.toLowerCase();
    const isTwice = this.#seen.has(name);
    this.#seen.add(name);
    if (REFUSED_KEYS.includes(name)) {
      this.#notes.problem(place, `[OUTPUT] ${key} ${REFUSED_SENTENCE}`);
    } else if (name === 'processors') {
      this.#notes.problem(place, '[OUTPUT] processors: this agent has none: remove the key');
    } else if (name === 'name') {
      this.#pluginName = value;
      if (isTwice) this.#notes.warn(place, `[OUTPUT] ${key} stands twice: the last counts`);
    } else if (name.startsWith(ENVIRONMENT_PREFIX)) {
      this.#readVariable(key, value, place);
    } else if (isHostKeyName(name)) {
      if (isTwice) this.#notes.warn(place, `[OUTPUT] ${key} stands twice: the last counts`);
      this.#readHostKey(name, value, place);
    } else if (name.startsWith(OWN_PREFIX)) {
      const own = [...HOST_KEYS.keys()].filter((known) => known.startsWith(OWN_PREFIX));
      const near = nearestName(name, own) ?? `${own.join(', ')} and ${ENVIRONMENT_PREFIX}NAME`;
      this.#notes.problem(place, `[OUTPUT] ${key}: unknown key of this agent: there is ${near}`);
    } else {
      if (isTwice) this.#notes.warn(place, `[OUTPUT] ${key} stands twice: the plugin gets the first`);
      this.#properties.push([key, value]);
    }
  }

  #readHostKey(name: string, value: string, place: Place): void {
    const property = HOST_KEYS.get(name);
    if (property === undefined) return;
    const reading: KeyReading<unknown> = HOST_KEY_READERS[property](value);
    if ('problem' in reading) {
      this.#notes.problem(place, `[OUTPUT] ${name} = ${quoted(value, SHOWN_LENGTH)}: ${reading.problem}`);
    } else {
      this.#host = { ...this.#host, [property]: reading.value };
    }
  }

  #readVariable(key: string, value: string, place: Place): void {
    const name = key.slice(ENVIRONMENT_PREFIX.length);
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) this.#environment[name] = value;
    else
      this.#notes.problem(place, `[OUTPUT] ${key}: ${quoted(name, SHOWN_LENGTH)} is no name of a variable`);
  }
}

/** Name in the file, in lower case → name in `HostKeys`. */
const HOST_KEYS: ReadonlyMap<string, keyof HostKeys> = new Map(
  propertiesOf(HOST_KEY_NAMES).map((property) => [HOST_KEY_NAMES[property], property] as const),
);

function isHostKeyName(name: string): boolean {
  return HOST_KEYS.has(name);
}

function propertiesOf(names: typeof HOST_KEY_NAMES): readonly (keyof HostKeys)[] {
  // The record has these keys and no others.
  return Object.keys(names) as (keyof HostKeys)[];
}

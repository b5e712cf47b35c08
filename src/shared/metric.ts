import { jsonKind } from './json-kind.js';
import { quoted } from './quoted.js';

/** What a plugin prints and what `/post` takes, an element of the JSON list. */
export interface Metric {
  readonly name: string;
  /** Unix seconds. */
  readonly timestamp?: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly value: number | boolean | string;
}

/** The tags of a checked metric, ready to be sent: trimmed, no blanks, none empty. */
export type Tags = Readonly<Record<string, string>>;

const NAME = /^[-_.a-zA-Z0-9]+$/;
const NAME_LENGTH_MAX = 512;
/** Characters of a foreign name in a sentence. */
const SHOWN_MAX = 60;
const BLANK = /\s/g;
const ANY_BLANK = /\s/;
const NO_TAGS: Tags = Object.freeze({});

/** Says why an element of a metric list is no metric, naming the offending part; undefined when it is one. */
export function metricProblem(candidate: unknown): string | undefined {
  if (!isPlainObject(candidate)) return `a metric is an object, this is ${jsonKind(candidate)}`;
  return (
    nameProblem(candidate.name) ??
    valueProblem(candidate.value) ??
    timestampProblem(candidate.timestamp) ??
    tagsProblem(candidate.tags)
  );
}

/**
 * Says why a name of another format than JSON cannot be sent; undefined when it can. Such formats have alphabets of
 * their own (`node:cpu`, `C:\\ used`), which are kept.
 */
export function sampleNameProblem(name: string): string | undefined {
  if (!/\S/.test(name)) return 'its name is empty';
  if (name.length > NAME_LENGTH_MAX) return `its name is longer than ${NAME_LENGTH_MAX} characters`;
  if (/\p{Cc}/u.test(name.replace(BLANK, ''))) {
    return `its name ${quoted(name, SHOWN_MAX)} has a control character`;
  }
  return undefined;
}

/**
 * The unix seconds to send: what the metric says where that is in seconds (1e9 ≤ t < 1e10), else `nowSeconds`;
 * senders that count in milliseconds or leave it 0 mean "now".
 */
export function timestampSeconds(timestamp: number | null | undefined, nowSeconds: number): number {
  return timestamp != null && timestamp >= 1e9 && timestamp < 1e10 ? timestamp : nowSeconds;
}

/** Trims keys and values, turns blanks inside into `-`, drops what is then empty. Clean tags come back as they are. */
export function cleanTags(tags: Tags | null | undefined): Tags {
  if (tags == null) return NO_TAGS;
  for (const key in tags) {
    const value = tags[key];
    if (key === '' || !value || ANY_BLANK.test(key) || ANY_BLANK.test(value)) return rewriteTags(tags);
  }
  return tags;
}

function rewriteTags(tags: Tags): Tags {
  const clean: Record<string, string> = Object.create(null);
  for (const [key, value] of Object.entries(tags)) {
    const cleanKey = withoutBlanks(key);
    const cleanValue = withoutBlanks(value);
    if (cleanKey !== '' && cleanValue !== '') clean[cleanKey] = cleanValue;
  }
  return clean;
}

/** Trimmed, with `-` for every blank inside. */
export function withoutBlanks(text: string): string {
  return text.trim().replace(BLANK, '-');
}

function nameProblem(name: unknown): string | undefined {
  if (name === undefined) return 'name is missing';
  if (typeof name !== 'string') return `name is ${jsonKind(name)}, not a string`;
  if (name.length > NAME_LENGTH_MAX) return `name is longer than ${NAME_LENGTH_MAX} characters`;
  if (!NAME.test(name))
    return `name ${quoted(name, SHOWN_MAX)} has characters other than letters, digits, "-", "_" and "."`;
  return undefined;
}

function valueProblem(value: unknown): string | undefined {
  if (value === undefined) return 'value is missing';
  if (typeof value === 'number')
    return Number.isFinite(value) ? undefined : 'value is too large for a number';
  if (typeof value === 'boolean' || typeof value === 'string') return undefined;
  return `value is ${jsonKind(value)}, not a number, boolean or string`;
}

function timestampProblem(timestamp: unknown): string | undefined {
  if (timestamp === undefined || timestamp === null || Number.isInteger(timestamp)) return undefined;
  if (typeof timestamp === 'number') return `timestamp ${timestamp} is not a whole number of seconds`;
  return `timestamp is ${jsonKind(timestamp)}, not an integer`;
}

function tagsProblem(tags: unknown): string | undefined {
  if (tags === undefined || tags === null) return undefined;
  if (!isPlainObject(tags)) return `tags is ${jsonKind(tags)}, not an object of strings`;
  for (const key in tags) {
    const value = tags[key];
    if (typeof value !== 'string') return `tag ${quoted(key, SHOWN_MAX)} is ${jsonKind(value)}, not a string`;
  }
  return undefined;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

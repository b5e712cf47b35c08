/**
 * How names and texts are written in line protocol. Versions 1 and 2 share a parser in which a backslash escapes only
 * what must be escaped and cannot be escaped itself; version 3 takes an escaped backslash too. What neither can carry
 * gives way to something that it can: a backslash to a slash, other characters to `-`, as blanks in tags do elsewhere.
 */
export interface Escapes {
  measurement(name: string): string;
  tagKey(key: string): string;
  tagValue(value: string): string;
  fieldKey(key: string): string;
}

/** The escapes of a version of InfluxDB. */
export function escapesOf(version: 1 | 2 | 3): Escapes {
  return version === 3 ? VERSION_3 : VERSIONS_1_AND_2;
}

/** A field's text in its quotes. Line breaks stand there as they are. */
export function quotedField(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** Names without any of these, the usual ones, are as they should be. */
const SPECIAL = /[\0\t\n\r "#,=\\]/;

/** They end a line or a name, or are skipped as blanks, escaped or not. */
const NOT_IN_NAMES = /[\0\t\n\r]/g;

const COMMA_BLANK = /[, ]/g;
const COMMA_BLANK_EQUALS = /[, =]/g;

const VERSIONS_1_AND_2: Escapes = {
  // Reading the name back, the server takes a backslash away before a quote and an equals sign too.
  measurement: (name) => escaped(withoutHash(name), /\\(?=["=]|$)/g, COMMA_BLANK),
  // Where lines are cut apart backslashes count in pairs: a blank behind one would begin the fields there.
  tagKey: (key) => escaped(key, /\\(?= |$)/g, COMMA_BLANK_EQUALS),
  tagValue: (value) => escaped(value, /\\$/g, COMMA_BLANK_EQUALS),
  fieldKey: (key) => escaped(key, /\\(?=[", =]|$)/g, COMMA_BLANK_EQUALS),
};

const VERSION_3: Escapes = {
  measurement: (name) => escaped(withoutHash(name), /\\$/g, /[, \\]/g),
  tagKey: (key) => escaped(key, /\\$/g, /[, =\\]/g),
  tagValue: (value) => escaped(value, /\\$/g, /[, =\\]/g),
  fieldKey: (key) => escaped(key, /\\$/g, /[, =\\]/g),
};

function escaped(text: string, lostBackslash: RegExp, special: RegExp): string {
  if (!SPECIAL.test(text)) return text;
  return text.replace(NOT_IN_NAMES, '-').replace(lostBackslash, '/').replace(special, '\\$&');
}

/** A line that begins with `#` is a comment. */
function withoutHash(name: string): string {
  return name.startsWith('#') ? `-${name.slice(1)}` : name;
}

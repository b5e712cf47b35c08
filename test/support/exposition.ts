/** What a text in Prometheus' format 0.0.4 says; reading is strict, so that a test sees what a lenient server would not. */
export interface Exposition {
  readonly families: ReadonlyMap<string, ExposedFamily>;
  /**
   * The value of the one series with exactly these labels.
   * @throws Error when there is none
   */
  value(name: string, labels?: Readonly<Record<string, string>>): number;
  has(name: string): boolean;
}

export interface ExposedFamily {
  readonly help: string;
  readonly type: string;
  readonly series: readonly ExposedSeries[];
}

export interface ExposedSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface FamilyBuilder {
  readonly help: string;
  type: string | undefined;
  readonly series: ExposedSeries[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const HELP_LINE = new RegExp(`^# HELP (${NAME}) (.+)$`);
const TYPE_LINE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary|untyped)$`);
const SAMPLE_LINE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? ([^ ]+)$`);
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
const NUMBER = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/;
const UNIT_WORDS = /_(?:milliseconds|ms|minutes|hours|kilobytes|kb|mb|gb)(?:_|$)/;

/**
 * Reads a text and holds it to the format, and to the rules that `promtool check metrics` has.
 * @throws Error that names the line
 */
export function readExposition(text: string): Exposition {
  const families = new Map<string, FamilyBuilder>();
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  let current: string | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    current = line.startsWith('#')
      ? readComment(line, current, families)
      : readSample(line, current, families);
  }
  for (const [name, family] of families) assertProper(name, family);
  const found = families as ReadonlyMap<string, ExposedFamily>;
  return {
    families: found,
    has: (name) => found.has(name),
    value: (name, labels = {}) => {
      const series = found.get(name)?.series.find((one) => keyOf(one.labels) === keyOf(labels));
      if (series === undefined) throw new Error(`no ${name} with ${JSON.stringify(labels)} in:\n${text}`);
      return series.value;
    },
  };
}

/** HELP begins a family, TYPE follows it. */
function readComment(
  line: string,
  current: string | undefined,
  families: Map<string, FamilyBuilder>,
): string {
  const [, helped, help] = HELP_LINE.exec(line) ?? [];
  if (helped !== undefined && help !== undefined) {
    if (families.has(helped)) throw new Error(`a second HELP or a torn family: ${line}`);
    families.set(helped, { help, type: undefined, series: [] });
    return helped;
  }
  const [, typed, type] = TYPE_LINE.exec(line) ?? [];
  const family = typed === undefined ? undefined : families.get(typed);
  if (typed === undefined || family === undefined || typed !== current || family.type !== undefined) {
    throw new Error(`this does not belong here: ${line}`);
  }
  family.type = type;
  return typed;
}

function readSample(line: string, current: string | undefined, families: Map<string, FamilyBuilder>): string {
  const [, name, labelText, value] = SAMPLE_LINE.exec(line) ?? [];
  if (name === undefined || value === undefined || !NUMBER.test(value)) throw new Error(`no sample: ${line}`);
  const family = families.get(name);
  if (family?.type === undefined || name !== current) throw new Error(`not under its HELP and TYPE: ${line}`);
  const labels = readLabels(labelText, line);
  if (family.series.some((other) => keyOf(other.labels) === keyOf(labels))) {
    throw new Error(`the same series twice: ${line}`);
  }
  family.series.push({ labels, value: Number(value) });
  return name;
}

function readLabels(text: string | undefined, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  if (text === undefined) return labels;
  LABEL.lastIndex = 0;
  let end = 0;
  for (let match = LABEL.exec(text); match !== null; match = LABEL.exec(text)) {
    const [, name = '', value = ''] = match;
    if (Object.hasOwn(labels, name)) throw new Error(`a label twice: ${line}`);
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
    end = LABEL.lastIndex;
  }
  if (end !== text.length || text.endsWith(',') || text === '') throw new Error(`odd labels: ${line}`);
  return labels;
}

function assertProper(name: string, { help, type, series }: FamilyBuilder): void {
  const isCounter = type === 'counter';
  if (help.length < 10) throw new Error(`${name}: its HELP teaches nothing: ${help}`);
  if (series.length === 0) throw new Error(`${name}: no series`);
  if (isCounter !== name.endsWith('_total'))
    throw new Error(`${name}: counters end in _total, others do not`);
  if (UNIT_WORDS.test(name)) throw new Error(`${name}: seconds and bytes are the units`);
  if (/[A-Z:]/.test(name)) throw new Error(`${name}: lower case, and no colons, which are for rules`);
  const labelNames = new Set(series.map(({ labels }) => Object.keys(labels).sort().join()));
  if (labelNames.size > 1) throw new Error(`${name}: series with other labels than the first`);
  if (isCounter && series.some(({ value }) => value < 0)) throw new Error(`${name}: a counter below 0`);
}

function keyOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

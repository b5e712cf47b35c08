import { z } from 'zod';
import { isHostName } from '../../shared/host-port.js';
import {
  COMPRESSIONS,
  type FirstOutputTable,
  type FurtherOutputTable,
  OUTPUT_NAMES,
  type OutputTable,
} from './config.js';
import { goOutputKeys } from './go-output-schema.js';
import {
  databaseAddress,
  lookupdAddress,
  oneOf,
  optionalFile,
  type PathBase,
  seconds,
  serverAddress,
  setOf,
  table,
  text,
  trueOrFalse,
  wholeNumber,
} from './key-kinds.js';

/** The table `[output]`. */
export function firstOutputSchema(base: PathBase) {
  return table({ ...outputKeys(base), ...keysOfAllOutputs(base) }).transform((written): FirstOutputTable => {
    const { databaseprefix, maxmessagesize, plugins_file } = written;
    return { ...withDependentDefaults(written), databaseprefix, maxmessagesize, plugins_file };
  });
}

/** The tables `[[outputs]]`. */
export function furtherOutputsSchema(base: PathBase) {
  const sentence = 'must be tables: for each output a line [[outputs]] with two brackets, and its keys below';
  const keys = { ...outputKeys(base), name: z.string(NAME).min(1, NAME).max(64, NAME).default('nsq') };
  const further = table(
    { ...keys, ...goOutputKeys(base) },
    'must be a table: a line [[outputs]], and its keys below',
  );
  return z.array(
    further.transform(
      (written): FurtherOutputTable => withDependentDefaults({ ...written, ...kindOf(written) }),
    ),
    sentence,
  );
}

const NAME = `must be one of ${OUTPUT_NAMES.map((name) => JSON.stringify(name)).join(', ')}, "go", or the name that a Golang output plugin registers`;

/** Every name that is no other output's is that of a Golang output plugin. */
function kindOf({ name, plugin, alias }: { name: string; plugin: string; alias: string }) {
  const known = OUTPUT_NAMES.find((candidate) => candidate === name);
  if (known !== undefined) return { name: known };
  const wanted = name === 'go' ? plugin : name;
  const fitting = (wanted === '' ? 'go' : wanted).replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 32);
  return { name: 'go' as const, plugin: wanted, alias: alias === '' ? fitting : alias };
}

/** Keys of `[output]` that hold for the agent as a whole. */
export const KEYS_OF_ALL_OUTPUTS = ['databaseprefix', 'maxmessagesize', 'plugins_file'] as const;

function keysOfAllOutputs(base: PathBase) {
  return {
    databaseprefix: text(
      /^[.a-zA-Z0-9_-]{0,64}$/,
      'must be at most 64 letters, digits, ".", "_" or "-"',
    ).default(''),
    maxmessagesize: wholeNumber(300_000, 16_777_216, 'bytes').default(1_000_000),
    plugins_file: optionalFile(base).default(''),
  } satisfies Readonly<Record<(typeof KEYS_OF_ALL_OUTPUTS)[number], z.ZodType>>;
}

function outputKeys(base: PathBase) {
  return {
    name: oneOf(OUTPUT_NAMES).default('nsq'),
    alias: text(
      /^[A-Za-z0-9_-]{0,32}$/,
      'must be at most 32 letters, digits, "_" or "-", or "" for the name of the output',
    ).default(''),
    buffersize: wholeNumber(1, 100_000_000, 'points').default(100_000),
    responsetimeout: seconds(0.1, 300).default(10),
    servers: setOf(serverAddress(), '["nsqd.example.com:4150"]').nullable().default(null),
    lookupd: setOf(lookupdAddress(), '["nsqlookupd.example.com:4161"]').default([]),
    compression: oneOf(COMPRESSIONS).default('none'),
    topicprefix: text(
      /^[.a-zA-Z0-9_-]{0,32}$/,
      'must be at most 32 letters, digits, ".", "_" or "-": the namespace follows it in an NSQ topic name, which has 64 at most',
    ).default('collect.'),
    tls: trueOrFalse().default(false),
    tlsca: optionalFile(base).default(''),
    tlscert: optionalFile(base).default(''),
    tlskey: optionalFile(base).default(''),
    tlsservername: z
      .string(HOST_NAME)
      .refine((name) => name === '' || isHostName(name), HOST_NAME)
      .default(''),
    tlsinsecure: trueOrFalse().default(false),
    authsecretfile: optionalFile(base).default(''),
    path: optionalFile(base).default(''),
    ...influxdbKeys(base),
  };
}

function influxdbKeys(base: PathBase) {
  return {
    url: databaseAddress().default(''),
    version: z.literal([1, 2, 3], 'must be 1, 2 or 3, the first number of the InfluxDB version').default(1),
    database: text(
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
      /^(?!.*%s.*%s)[^\x00-\x1f\x7f]{0,128}$/,
      'must be a name of at most 128 characters with no more than one %s, where the namespace goes',
    ).default(''),
    organization: plainName(),
    retentionpolicy: plainName(),
    namespacetag: text(
      /^(?!(?:host|time)$)(?!_)[.a-zA-Z0-9_-]{0,64}$/,
      'must be at most 64 letters, digits, ".", "_" or "-", other than "host" and "time", or "" for no such tag',
    ).default('namespace'),
    tokenfile: optionalFile(base).default(''),
    username: plainName(),
    passwordfile: optionalFile(base).default(''),
    gzip: trueOrFalse().default(true),
    batchsize: wholeNumber(1, 1_000_000, 'points').default(5_000),
  };
}

const HOST_NAME = 'must be the host name that stands in the server\'s certificate, or ""';

function plainName() {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  return text(/^[^\x00-\x1f\x7f]{0,128}$/, 'must be text of at most 128 characters on one line').default('');
}

const DEFAULT_SERVERS: readonly string[] = ['127.0.0.1:4150'];

type WithDependentDefaults<T> = Omit<T, 'servers'> & Pick<OutputTable, 'servers' | 'alias'>;

/** Defaults that another key decides. A default server beside an nsqlookupd would be one that nobody has named. */
function withDependentDefaults<T extends Omit<OutputTable, 'servers'> & { servers: string[] | null }>(
  written: T,
): WithDependentDefaults<T> {
  return {
    ...written,
    alias: written.alias === '' ? written.name : written.alias,
    servers: written.servers ?? (written.lookupd.length > 0 ? [] : DEFAULT_SERVERS),
  };
}

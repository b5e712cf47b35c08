import { parse } from 'node:querystring';
import { z } from 'zod';
import { quoted } from '../../shared/quoted.js';
import { RequestError } from './errors.js';

const TIMEOUT_SECONDS_DEFAULT = 10;
const TIMEOUT_SECONDS_MAX = 3_600;
const REPO_LENGTH_MAX = 1_024;
const PARAM_LENGTH_MAX = 8_192;
const PARAM_COUNT_MAX = 256;
/** Characters of a parameter's name in a sentence. */
const SHOWN_MAX = 40;
const SECONDS = /^\d{1,9}(?:\.\d{1,9})?$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/;

/** `ns`: left out or empty means the host's only namespace. */
export const namespaceParameter = z
  .string()
  .optional()
  .transform((text) => (text === '' ? undefined : text))
  .meta({
    description: 'the namespace; may be left out when the host is in exactly one',
    example: 'redis.shop',
  });

/** `repo`: the registry's text for the repository. */
export const repoParameter = z
  .string({ error: 'is missing; give the full git address of the plugin as the registry has it' })
  .min(1, 'is empty; give the full git address of the plugin as the registry has it')
  .max(REPO_LENGTH_MAX, `is longer than ${REPO_LENGTH_MAX} characters`)
  .refine((text) => !CONTROL_CHARACTER.test(text), 'has control characters')
  .meta({
    description: 'the full git address of the plugin as the registry has it, with or without .git',
    example: 'https://git.example.com/ops/redis.git',
  });

/** `timeout`: seconds in the request, milliseconds for the agent. */
export const timeoutParameter = z
  .string()
  .optional()
  .refine((text) => !text || SECONDS.test(text), 'is not a number of seconds such as 10 or 0.5')
  .transform((text) => (text ? Number(text) : TIMEOUT_SECONDS_DEFAULT))
  .refine((seconds) => seconds > 0, 'is not more than 0 seconds')
  .refine((seconds) => seconds <= TIMEOUT_SECONDS_MAX, `is more than ${TIMEOUT_SECONDS_MAX} seconds`)
  .transform((seconds) => Math.max(1, Math.round(seconds * 1000)))
  .meta({
    description: `seconds that the run may take, ${TIMEOUT_SECONDS_DEFAULT} when left out, at most ${TIMEOUT_SECONDS_MAX}`,
    type: 'number',
    example: 10,
  });

/** `param`: split on spaces as the registry's parameters are; left out: undefined, empty: no parameters. */
export const paramParameter = z
  .string()
  .max(PARAM_LENGTH_MAX, `is longer than ${PARAM_LENGTH_MAX} characters`)
  .refine((text) => !text.includes('\0'), 'has a zero character, which no program can be given')
  .transform((text) => text.split(' ').filter((part) => part !== ''))
  .refine((parts) => parts.length <= PARAM_COUNT_MAX, `has more than ${PARAM_COUNT_MAX} parts`)
  .optional()
  .meta({
    description:
      "arguments for this run, split on spaces, in place of the registry's; empty means none, left out means the registry's",
    example: '--port 6380',
  });

/** The text behind the `?` of a request's URL; empty where there is none. */
export function queryOf(url: string): string {
  const mark = url.indexOf('?');
  return mark === -1 ? '' : url.slice(mark + 1);
}

/**
 * Reads and checks parameters that come as form-encoded texts: the query, and a form body.
 * @throws RequestError `bad-parameter` that names the offending one
 */
export function readParameters<Schema extends z.ZodObject>(
  schema: Schema,
  texts: readonly string[],
): z.output<Schema> {
  const given = onceEach(texts);
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw new RequestError('bad-parameter', problemOf(result.error, Object.keys(schema.shape)));
}

function onceEach(texts: readonly string[]): Record<string, string> {
  const given: Record<string, string> = Object.create(null);
  for (const text of texts) {
    for (const [name, value] of Object.entries(parse(text))) {
      if (value === undefined) continue;
      if (name in given || typeof value !== 'string') {
        throw new RequestError(
          'bad-parameter',
          `parameter ${quoted(name, SHOWN_MAX)} is given more than once; give it once`,
        );
      }
      given[name] = value;
    }
  }
  return given;
}

function problemOf(error: z.ZodError, known: readonly string[]): string {
  const issue = error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    const takes = known.length === 0 ? 'takes no parameters' : `takes ${known.join(', ')}`;
    return `parameter ${quoted(issue.keys[0] ?? '', SHOWN_MAX)} is not known; this path ${takes}`;
  }
  return `parameter ${quoted(String(issue?.path[0] ?? ''), SHOWN_MAX)} ${issue?.message ?? 'is not right'}`;
}

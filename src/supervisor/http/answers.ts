/** The shapes of all answers, without the `ok` that stands in front of them. Fields that do not apply are left out. */
import { z } from 'zod';
import { pluginStatusAnswer } from './plugin-output-answer.js';

const time = z.string().meta({ description: 'ISO 8601' });
const number = (description: string) => z.int().meta({ description });
const runStatus = z.enum(['ok', 'exit', 'timeout', 'signal', 'spawn', 'output']);
const runValue = z.int().meta({
  description:
    '0 = ok, else the exit code, 124 = time-out, 126/127 = could not be executed, 128+n = ended by signal n, 65 = output not understood',
});
const pluginReference = z.strictObject({ namespace: z.string(), repo: z.string() });

/** Every answer that is not ok. */
export const failureAnswer = z.strictObject({
  ok: z.literal(false),
  error: z.strictObject({
    code: z.string().meta({ description: 'stable, for programs' }),
    message: z.string().meta({ description: 'what is wrong and the way out, for people' }),
    index: z.int().optional().meta({ description: 'place of the bad metric in the list' }),
    reason: z.string().optional().meta({ description: 'what is wrong with it' }),
  }),
});

/** What `/post` takes. */
export const postedMetrics = z
  .array(
    z.object({
      name: z.string().regex(/^[-_.a-zA-Z0-9]+$/),
      timestamp: z.int().optional().meta({ description: 'unix seconds; 0 or left out: now' }),
      tags: z.record(z.string(), z.string()).optional(),
      value: z.union([z.number(), z.boolean(), z.string()]),
    }),
  )
  .meta({ description: 'a JSON list of metrics; one bad metric refuses them all' });

/** Of `/post`. */
export const postAnswer = z.strictObject({
  points: z.int().meta({ description: 'how many are safe now: at the broker, or on disk' }),
});

/** Of `/update`. */
export const syncAnswer = z.strictObject({
  added: z.array(pluginReference).readonly(),
  changed: z.array(pluginReference).readonly(),
  removed: z.array(pluginReference).readonly(),
  unchanged: z.int(),
  problems: z.array(z.string()).readonly().meta({ description: 'what could not be taken over' }),
});

/** Of `/me/ns`. */
export const namespacesAnswer = z.strictObject({ namespaces: z.array(z.string()).readonly() });

const outputStatus = z
  .strictObject({
    output: z.string().meta({ description: 'alias of the output; its name where it has no other' }),
    name: z.string().meta({ description: 'kind of the output' }),
    state: z.string().meta({ description: 'where it delivers to now, in words' }),
    isUp: z.boolean().meta({
      description:
        'false while it does not deliver: it knows that it cannot, or nothing it was given was confirmed for a second',
    }),
    lastError: z
      .string()
      .optional()
      .meta({ description: 'the last thing that went wrong, in words; it may be over by now' }),
    servers: z
      .array(
        z.strictObject({
          server: z.string().meta({ description: 'host:port' }),
          origin: z
            .enum(['set', 'lookupd'])
            .meta({ description: 'in the configuration, or found by nsqlookupd' }),
          state: z.enum(['idle', 'connecting', 'connected', 'failed']).meta({
            description:
              'idle: nothing is known to be wrong, another one is used; failed: left alone for a while',
          }),
          failures: number('failures in a row; 0 when it takes points'),
          lastError: z.string().optional(),
        }),
      )
      .readonly()
      .optional()
      .meta({ description: 'where there is a choice of servers' }),
    plugin: pluginStatusAnswer.optional().meta({ description: 'of a Golang output plugin' }),
    acceptedRecords: number('documents that it was given'),
    acceptedPoints: number('points in them'),
    deliveredRecords: number('documents that the server has confirmed'),
    deliveredPoints: number('points in them; those that an earlier run left on disk included'),
    retriedRecords: number(
      'documents that were sent once more because nobody confirmed them the first time; each may have arrived twice',
    ),
    spooledRecords: number('documents that were ever written to disk'),
    spooledPoints: number('points in them'),
    setAsidePoints: number(
      'points that the server refused for good; the log says why, and where they are kept',
    ),
    droppedPoints: z
      .strictObject({
        full: number('the disk bound was reached and they were the oldest there'),
        damaged: number('what the disk gave back was not what was written'),
        'no-room': number('neither memory nor disk had room for them'),
      })
      .meta({ description: 'points that are lost, by reason' }),
    memoryPoints: number('points in memory now that are not delivered, those that are on disk too included'),
    diskRecords: number('documents that wait on disk now'),
    diskPoints: number('points in them'),
    diskBytes: number("bytes that the output's part of the spool takes on disk now"),
    lagPoints: number('points that are not delivered yet, each counted once, wherever it waits'),
    lagSeconds: z
      .number()
      .meta({ description: 'age in seconds of the oldest of them; 0 when there is none' }),
  })
  .meta({ description: 'counts since the publisher started, a moment after the agent or anew if it failed' });

/** Of `/me/status`. */
export const statusAnswer = z.strictObject({
  version: z.string(),
  pid: z.int(),
  startedAt: time,
  uptimeSeconds: z.number(),
  host: z.string().meta({ description: 'value of the tag host' }),
  namespaces: z.array(z.string()).readonly(),
  plugins: z.strictObject({
    known: number('plugins that the registry names for this host'),
    enabled: number('those that no operator has disabled'),
    running: number('those that run now'),
    failed: number('those that could not be fetched or checked'),
  }),
  registry: z.strictObject({
    address: z.string().meta({ description: 'without credentials' }),
    lastSyncAt: time
      .optional()
      .meta({ description: 'when it last answered, ISO 8601; left out: not since the start' }),
    problem: z.string().optional().meta({ description: 'what went wrong since then' }),
  }),
  outputs: z
    .array(outputStatus)
    .readonly()
    .optional()
    .meta({ description: 'left out when the publisher thread does not answer within a second' }),
  runs: z
    .strictObject({
      ok: number('runs that went well'),
      failed: number('runs that did not'),
      skipped: number('runs left out because the one before was not over'),
      waiting: number('runs that are due now and wait for a place'),
      lateness: z.strictObject({ p50Ms: z.number(), p99Ms: z.number(), maxMs: z.number() }).meta({
        description:
          'ms from when scheduled runs were due to the start of their processes, over the last one to two minutes',
      }),
    })
    .meta({ description: 'since the agent started' }),
  posts: z
    .strictObject({
      accepted: number('requests to /post that were answered with 200'),
      points: number('points in them'),
      refused: number('requests to /post that were answered with anything else'),
    })
    .meta({ description: 'since the agent started' }),
  measured: z
    .array(
      z.strictObject({
        type: z.string().meta({ description: 'CPU, MEM, …' }),
        rounds: number('rounds that are over'),
        points: number('points of them, in all namespaces'),
      }),
    )
    .readonly()
    .meta({ description: 'of the host itself, since the agent started' }),
});

/** Of `/plugins/list`. */
export const pluginsAnswer = z.strictObject({
  plugins: z
    .array(
      z.strictObject({
        ns: z.string(),
        name: z.string(),
        repo: z.string(),
        project: z.string(),
        interval: z
          .union([z.number(), z.string()])
          .meta({ description: 'seconds, a cron expression, or 0: only on demand' }),
        mode: z
          .enum(['run', 'stream'])
          .meta({ description: 'run: again and again; stream: all the time, without an interval' }),
        enabled: z.boolean(),
        enabledAgainAt: time.optional(),
        running: z.boolean(),
        commit: z.string().optional(),
        state: z.enum(['pending', 'ready', 'failed']),
        problem: z.string().optional(),
        nextRunAt: time.optional(),
        lastRun: z
          .strictObject({
            status: runStatus,
            value: runValue,
            durationMs: z.number(),
            points: z.int(),
            latenessMs: z.number().optional().meta({
              description: 'from when it was due to the start of its process; left out when called for',
            }),
            endedAt: time,
            problem: z.string().optional().meta({ description: 'what went wrong, in a sentence' }),
          })
          .optional(),
        runs: z.int(),
        skipped: z.int(),
        stream: z
          .strictObject({
            restarts: number('how often it has ended and was, or will be, started again'),
            startedAt: time.optional(),
            points: number('points of the process that runs now'),
            badMetrics: number('what it printed that was left out'),
          })
          .optional()
          .meta({ description: 'of a plugin that runs all the time' }),
      }),
    )
    .readonly(),
});

/** Of `/plugins/update`. */
export const updateAnswer = z.strictObject({
  before: z.string().optional().meta({ description: 'commit' }),
  after: z.string().meta({ description: 'commit' }),
  changed: z.boolean(),
});

/** Of `/plugins/run`. */
export const runAnswer = z.strictObject({
  status: runStatus,
  value: runValue,
  exitCode: z.int().optional(),
  signal: z.string().optional(),
  durationMs: z.number(),
  latenessMs: z.number().optional(),
  usage: z
    .strictObject({ userMs: z.number(), systemMs: z.number(), maxRssBytes: z.number().optional() })
    .optional()
    .meta({ description: 'processor time and memory that it took up, where that is known' }),
  points: z.int().meta({ description: "the plugin's own points that were sent" }),
  badMetrics: z.int(),
  problem: z.string().optional(),
  stdout: z.string().meta({ description: 'the end of what it printed' }),
  stderr: z.string().meta({ description: 'the end of it' }),
});

/** Of `/plugins/enable` and `/plugins/disable`. */
export const enabledAnswer = z.strictObject({ enabled: z.boolean(), enabledAgainAt: time.optional() });

/** Of `/`. */
export const overviewAnswer = z.strictObject({
  agent: z.string().meta({ description: 'version' }),
  paths: z
    .array(
      z.strictObject({
        path: z.string(),
        methods: z.array(z.string()).readonly(),
        parameters: z.array(z.string()).readonly(),
        does: z.string(),
      }),
    )
    .readonly(),
});

/** The OpenAPI document; the one answer without `ok`, as its readers are programs that know its form. */
export const documentAnswer = z.object({
  openapi: z.string(),
  info: z.object({ title: z.string(), version: z.string() }),
  paths: z.record(z.string(), z.unknown()),
});

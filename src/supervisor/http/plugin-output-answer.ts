/** The shape of what is said of Golang output plugins. */
import { z } from 'zod';
import type { GoPluginStatus, OutputStatus } from '../../shared/output-status.js';
import { RequestError } from './errors.js';
import type { AgentStatus } from './operations.js';

const number = (description: string) => z.int().meta({ description });

const byResult = (description: string) =>
  z
    .strictObject({
      ok: number('answered FLB_OK'),
      error: number('answered FLB_ERROR'),
      retry: number('answered FLB_RETRY'),
    })
    .meta({ description });

const pluginShape = {
  library: z.string().meta({ description: 'path of the shared object' }),
  state: z.enum(['starting', 'running', 'restarting', 'failed', 'closed']).meta({
    description: 'failed: it cannot be loaded or initialised; restarting: its process has ended',
  }),
  pid: z.int().optional().meta({ description: 'of its host process; left out while there is none' }),
  restarts: number('how often its host process was started again'),
  chunks: byResult('flushes that came back'),
  bytes: byResult('bytes of msgpack in them'),
  setAsideChunks: number('chunks that were refused, or put off more often than Retry_Limit allows'),
  retriesWaiting: number('chunks that wait for their next try'),
};

/** In `/me/status`. */
export const pluginStatusAnswer = z.strictObject(pluginShape);

/** Of `/plugins/outputs`. */
export const pluginOutputsAnswer = z.strictObject({
  outputs: z
    .array(
      z.strictObject({
        instance: z.string().meta({ description: 'alias of the output' }),
        ...pluginShape,
        deliveredPoints: number('points that the plugin took'),
        setAsidePoints: number('points that were refused; the log says why, and where they are kept'),
        waitingPoints: number('points that are not delivered yet'),
        lastError: z
          .string()
          .optional()
          .meta({ description: 'the last thing that went wrong, in words; it may be over by now' }),
      }),
    )
    .readonly()
    .meta({ description: 'every instance of a Golang output plugin' }),
});

/**
 * What `/plugins/outputs` says.
 * @throws RequestError `busy` when the publisher thread does not answer
 */
export function pluginOutputs({ outputs }: AgentStatus): z.output<typeof pluginOutputsAnswer> {
  if (!outputs) {
    throw new RequestError(
      'busy',
      'the thread that owns the outputs does not answer now; ask again in a moment',
    );
  }
  return { outputs: outputs.flatMap((output) => (output.plugin ? [listing(output, output.plugin)] : [])) };
}

function listing(
  { output, deliveredPoints, setAsidePoints, lagPoints, lastError }: OutputStatus,
  plugin: GoPluginStatus,
) {
  return {
    instance: output,
    ...plugin,
    deliveredPoints,
    setAsidePoints,
    waitingPoints: lagPoints,
    lastError,
  };
}

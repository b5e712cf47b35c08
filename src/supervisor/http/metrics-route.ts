import { z } from 'zod';
import { sendText } from './answer.js';
import { parametersOf, type Route } from './route.js';

const parameters = z.strictObject({});

/** The agent's metrics of its own; the one answer that is no JSON, as Prometheus reads it. */
export const METRICS_ROUTE: Route = {
  path: '/metrics',
  methods: ['get', 'post'],
  summary: "The agent's own metrics in Prometheus' text format",
  effect: 'reads',
  parameters,
  mediaType: 'text/plain',
  answer: z.string().meta({
    description:
      'text format 0.0.4; the metrics of the outputs are missing while agent_publisher_up is 0, all others are always there',
  }),
  failures: [],
  serve: async (request, response, context) => {
    await parametersOf(request, response, parameters, context);
    const { contentType, text } = await context.operations.metrics();
    sendText(request, response, 200, text, { 'Content-Type': contentType });
  },
};

import { z } from 'zod';
import { sendJson } from './answer.js';
import * as answers from './answers.js';
import { CALL_ROUTES } from './call-routes.js';
import { METRICS_ROUTE } from './metrics-route.js';
import { openApiDocument } from './open-api.js';
import { POST_ROUTE } from './post-route.js';
import { callRoute, parametersOf, type Route } from './route.js';

const nothing = z.strictObject({});

const overview = callRoute({
  path: '/',
  summary: 'This list',
  effect: 'reads',
  parameters: nothing,
  answer: answers.overviewAnswer,
  failures: [],
  answerTo: (_parameters, { version }) => ({
    agent: version,
    paths: ROUTES.map((route) => ({
      path: route.path,
      methods: route.methods.map((method) => method.toUpperCase()),
      parameters: Object.keys(route.parameters.shape),
      does: route.summary,
    })),
  }),
});

const document: Route = {
  path: '/openapi.json',
  methods: ['get', 'post'],
  summary: 'The OpenAPI document of all paths',
  effect: 'reads',
  parameters: nothing,
  answer: answers.documentAnswer,
  failures: [],
  serve: async (request, response, context) => {
    await parametersOf(request, response, nothing, context);
    sendJson(request, response, 200, openApiDocument(ROUTES, context.version));
  },
};

/** Everything that is served: the router and the OpenAPI document are both made from this. */
export const ROUTES: readonly Route[] = [overview, POST_ROUTE, ...CALL_ROUTES, METRICS_ROUTE, document];

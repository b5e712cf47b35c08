import type { Request, Response } from 'express';
import { z } from 'zod';
import type { Log } from '../../shared/log.js';
import { sendJson } from './answer.js';
import type { BodyReader } from './body.js';
import { type ErrorCode, RequestError } from './errors.js';
import type { NamespaceRule } from './namespace-choice.js';
import type { Operations } from './operations.js';
import { queryOf, readParameters } from './parameters.js';

/** The methods that paths are served to, as the router names them. */
export type Method = 'get' | 'post';

/** What the handlers of all routes work with. */
export interface RouteContext {
  readonly operations: Operations;
  readonly namespaceRule: NamespaceRule;
  /** Reads form bodies of operators' calls. */
  readonly forms: BodyReader;
  /** Reads posted metrics. */
  readonly metrics: BodyReader;
  /** Version of the agent. */
  readonly version: string;
  readonly log: Log;
}

/** A path that is served: all that the router and the OpenAPI document need to know about it. */
export interface Route {
  readonly path: string;
  readonly methods: readonly Method[];
  /** What it does, for the overview and the document. */
  readonly summary: string;
  /** One that changes something is not served to HEAD. */
  readonly effect: 'reads' | 'changes';
  /** A strict object of what may stand in the query, and in a form body where `body` is not something else. */
  readonly parameters: z.ZodObject;
  /** Shape of a body that is no form. */
  readonly body?: z.ZodType;
  /** Media type of the answer with status 200; left out: JSON. */
  readonly mediaType?: 'text/plain';
  /** Shape of that answer. */
  readonly answer: z.ZodType;
  /** What can go wrong here besides what can go wrong everywhere. */
  readonly failures: readonly ErrorCode[];
  /** Answers a request; what it throws is answered by the application. */
  readonly serve: (request: Request, response: Response, context: RouteContext) => Promise<void>;
}

/** A route that is a plain call: parameters in, an answer out. */
export interface CallDefinition<Parameters extends z.ZodObject, Answer extends z.ZodObject>
  extends Omit<Route, 'serve' | 'methods'> {
  readonly parameters: Parameters;
  /** Without `ok`, which stands in front of every answer. */
  readonly answer: Answer;
  readonly answerTo: (
    parameters: z.output<Parameters>,
    context: RouteContext,
  ) => z.output<Answer> | Promise<z.output<Answer>>;
}

/** Makes the route of a call, served to GET and POST with the same parameters. */
export function callRoute<Parameters extends z.ZodObject, Answer extends z.ZodObject>(
  definition: CallDefinition<Parameters, Answer>,
): Route {
  const { answerTo, answer, ...rest } = definition;
  return {
    ...rest,
    methods: ['get', 'post'],
    answer: okAnswer(answer),
    serve: async (request, response, context) => {
      const parameters = await parametersOf(request, response, definition.parameters, context);
      const body = await answerTo(parameters, context);
      sendJson(request, response, 200, { ok: true, ...body });
    },
  };
}

/** The shape of an answer with `ok` in front. */
export function okAnswer(answer: z.ZodObject): z.ZodObject {
  return z.strictObject({ ok: z.literal(true), ...answer.shape });
}

/** The parameters of a request, from its query and, for POST, from its form body. */
export async function parametersOf<Parameters extends z.ZodObject>(
  request: Request,
  response: Response,
  schema: Parameters,
  context: RouteContext,
): Promise<z.output<Parameters>> {
  const texts = [queryOf(request.url)];
  if (request.method === 'POST') texts.push(await readForm(request, response, context.forms));
  return readParameters(schema, texts);
}

async function readForm(request: Request, response: Response, forms: BodyReader): Promise<string> {
  const body = await forms.read(request, response);
  forms.release(body.length);
  if (body.length === 0) return '';
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type === 'application/x-www-form-urlencoded') return body.toString();
  throw new RequestError(
    'unsupported-form',
    'parameters are taken from the query or from a form (application/x-www-form-urlencoded) as curl -d sends it; this body is neither',
  );
}

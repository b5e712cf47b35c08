import { z } from 'zod';
import { failureAnswer } from './answers.js';
import { type ErrorCode, STATUS_OF_CODE } from './errors.js';
import type { Method, Route } from './route.js';

/** What can go wrong on every path, before or beside its own work. */
const COMMON_FAILURES = [
  'bad-request',
  'bad-parameter',
  'unauthorized',
  'other-host',
  'foreign-page',
  'method-not-allowed',
  'request-timeout',
  'unsupported-expectation',
  'headers-too-large',
  'internal',
] as const satisfies readonly ErrorCode[];

/** What can go wrong with a form body. */
const FORM_FAILURES = [
  'too-large',
  'unsupported-encoding',
  'bad-encoding',
  'unsupported-form',
  'busy',
] as const satisfies readonly ErrorCode[];

type Json = Readonly<Record<string, unknown>>;

/** The parts of an OpenAPI document that are made here. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Record<string, Record<Method, Json>>;
  readonly components: Json;
  readonly security: readonly Json[];
}

/** Describes the routes as an OpenAPI 3.1 document. */
export function openApiDocument(routes: readonly Route[], version: string): OpenApiDocument {
  return {
    openapi: '3.1.0',
    info: { title: 'Host agent', version },
    paths: Object.fromEntries(routes.map((route) => [route.path, pathItem(route)])),
    components: {
      schemas: { Failure: jsonSchema(failureAnswer, 'output') },
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'asked for over TCP when [http] tokenfile is set',
        },
      },
    },
    security: [{}, { token: [] }],
  };
}

function pathItem(route: Route): Record<Method, Json> {
  return Object.fromEntries(route.methods.map((method) => [method, operation(route, method)])) as Record<
    Method,
    Json
  >;
}

function operation(route: Route, method: Method): Json {
  const body = requestBody(route, method);
  return {
    operationId: operationId(route.path, method),
    summary: route.summary,
    parameters: queryParameters(route, body !== undefined && route.body === undefined),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: {
      200: { description: 'done', content: answerContent(route) },
      ...failures(route, method),
    },
  };
}

function operationId(path: string, method: Method): string {
  const words = path.split(/[^a-z]+/).filter((word) => word !== '');
  return [method, ...(words.length === 0 ? ['overview'] : words)]
    .map((word, place) => (place === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1)))
    .join('');
}

/** None is required where it may stand in the form instead. */
function queryParameters(route: Route, orInForm: boolean): readonly Json[] {
  const schema = jsonSchema(route.parameters, 'input');
  const required = (schema.required ?? []) as readonly string[];
  return Object.entries((schema.properties ?? {}) as Readonly<Record<string, Json>>).map(
    ([name, property]) => {
      const { description, ...rest } = property;
      return { name, in: 'query', required: !orInForm && required.includes(name), description, schema: rest };
    },
  );
}

function requestBody(route: Route, method: Method): Json | undefined {
  if (method === 'get') return undefined;
  if (route.body !== undefined) {
    return {
      required: true,
      description: 'any content type is taken; may be packed with gzip',
      content: { '*/*': { schema: jsonSchema(route.body, 'input') } },
    };
  }
  const { properties } = jsonSchema(route.parameters, 'input');
  if (Object.keys(properties ?? {}).length === 0) return undefined;
  return {
    description: 'parameters may stand here in place of the query',
    content: { 'application/x-www-form-urlencoded': { schema: { type: 'object', properties } } },
  };
}

function failures(route: Route, method: Method): Record<string, Json> {
  const codes = new Set<ErrorCode>([...COMMON_FAILURES, ...route.failures]);
  if (method === 'post' && route.body === undefined) for (const code of FORM_FAILURES) codes.add(code);
  const byStatus: Record<string, Json> = {};
  for (const status of [...new Set([...codes].map((code) => STATUS_OF_CODE[code]))].sort()) {
    const names = [...codes].filter((code) => STATUS_OF_CODE[code] === status);
    byStatus[status] = {
      description: names.join(', '),
      content: json({ $ref: '#/components/schemas/Failure' }),
    };
  }
  return byStatus;
}

function answerContent({ mediaType, answer }: Route): Json {
  const schema = jsonSchema(answer, 'output');
  return mediaType === undefined ? json(schema) : { [mediaType]: { schema } };
}

function json(schema: Json): Json {
  return { 'application/json': { schema } };
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    io,
    override: ({ jsonSchema }) => {
      // Says of our readonly lists what everybody knows of an answer.
      delete jsonSchema.readOnly;
      // The bounds of what JavaScript counts exactly are no bounds of the value.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  return rest;
}

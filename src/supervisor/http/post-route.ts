import type { Request, Response } from 'express';
import { z } from 'zod';
import { sendFailure, sendText } from './answer.js';
import { postAnswer, postedMetrics } from './answers.js';
import { type ErrorCode, RequestError, STATUS_OF_CODE } from './errors.js';
import { assertPostAllowed, chosenNamespace } from './namespace-choice.js';
import type { PostAnswer } from './operations.js';
import { namespaceParameter, queryOf, readParameters } from './parameters.js';
import { okAnswer, type Route, type RouteContext } from './route.js';

const parameters = z.strictObject({ ns: namespaceParameter });

/** Takes metrics of programs on this host. Any content type is taken: `curl -d` sends a list as if it were a form. */
export const POST_ROUTE: Route = {
  path: '/post',
  methods: ['post'],
  summary: 'Sends metrics; ok when they are at the broker or on disk',
  effect: 'changes',
  parameters,
  body: postedMetrics,
  answer: okAnswer(postAnswer),
  failures: [
    'bad-namespace',
    'foreign-namespace',
    'empty-body',
    'not-json',
    'bad-metric',
    'bad-encoding',
    'too-large',
    'unsupported-encoding',
    'refused',
    'busy',
    'stopping',
  ],
  serve: servePost,
};

async function servePost(request: Request, response: Response, context: RouteContext): Promise<void> {
  const namespace = namespaceOf(request.url, context);
  const body = await context.metrics.read(request, response);
  // Handing the body to another thread empties it, so its length is kept.
  const bytes = body.length;
  try {
    if (bytes === 0) throw new RequestError('empty-body', 'the body is empty; send a JSON list of metrics');
    answerPost(request, response, await context.operations.post(namespace, body));
  } finally {
    context.metrics.release(bytes);
  }
}

function namespaceOf(url: string, { operations, namespaceRule }: RouteContext): string {
  const own = operations.namespaces();
  const namespace = chosenNamespace(givenNamespace(queryOf(url)), own, namespaceRule.topicPrefix);
  assertPostAllowed(namespace, own, namespaceRule);
  return namespace;
}

/** The last query that was read and what it said; programs post with the same one again and again. */
let lastQuery = '';
let lastNamespace: string | undefined;

function givenNamespace(query: string): string | undefined {
  if (query === lastQuery) return lastNamespace;
  lastNamespace = readParameters(parameters, [query]).ns;
  lastQuery = query;
  return lastNamespace;
}

function answerPost(request: Request, response: Response, answer: PostAnswer): void {
  switch (answer.type) {
    case 'accepted':
      sendText(request, response, 200, `{"ok":true,"points":${answer.points}}\n`);
      return;
    case 'not-json':
      refuse(request, response, 'not-json', `${answer.reason}; send a JSON list of metrics`);
      return;
    case 'bad-metric': {
      const { index, reason } = answer;
      sendFailure(request, response, STATUS_OF_CODE['bad-metric'], {
        code: 'bad-metric',
        message: `metric ${index} of the list is bad: ${reason}; nothing was sent`,
        index,
        reason,
      });
      return;
    }
    case 'busy':
      refuse(request, response, 'busy', answer.reason, {
        'Retry-After': String(Math.max(1, Math.ceil(answer.retryAfterSeconds))),
      });
      return;
    case 'refused':
      refuse(request, response, 'refused', `the output will never take these metrics: ${answer.reason}`);
  }
}

function refuse(
  request: Request,
  response: Response,
  code: ErrorCode,
  message: string,
  headers?: Readonly<Record<string, string>>,
): void {
  sendFailure(request, response, STATUS_OF_CODE[code], { code, message }, headers);
}

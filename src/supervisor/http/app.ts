import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { sendFailure } from './answer.js';
import { ClientGone } from './body.js';
import { failureAnswer, RequestError } from './errors.js';
import type { Route, RouteContext } from './route.js';
import { ROUTES } from './routes.js';

const PATH_SHOWN_MAX = 100;

/** The Express application: the routes of the table, and JSON answers for all that goes wrong. */
export function createApp(context: RouteContext): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.disable('query parser');
  app.enable('case sensitive routing');
  app.use(refuseForeignTarget);
  for (const route of ROUTES) mount(app, route, context);
  app.use((request) => {
    throw unknownPath(request);
  });
  app.use((thrown: unknown, request: Request, response: Response, _next: NextFunction) => {
    answerThrown(thrown, request, response, context);
  });
  return app;
}

/** A request line may name a host instead of the `Host` header; only proxies are asked so. */
function refuseForeignTarget(request: Request, _response: Response, next: NextFunction): void {
  if (!request.originalUrl.startsWith('/')) {
    throw new RequestError('bad-request', 'the request line must hold a path that begins with "/"');
  }
  next();
}

function mount(app: Express, route: Route, context: RouteContext): void {
  const mounted = app.route(route.path);
  for (const method of route.methods) {
    mounted[method]((request: Request, response: Response) => {
      // The router gives HEAD to the handler of GET.
      if (request.method === 'HEAD' && route.effect === 'changes') throw methodNotAllowed(request, route);
      return route.serve(request, response, context);
    });
  }
  mounted.all((request: Request) => {
    throw methodNotAllowed(request, route);
  });
}

function answerThrown(thrown: unknown, request: Request, response: Response, { log }: RouteContext): void {
  if (thrown instanceof ClientGone) {
    response.destroy();
    return;
  }
  const answer = failureAnswer(thrown);
  if (answer.unexpected) {
    log.error(
      { method: request.method, path: shownPath(request), err: thrown },
      'a request failed for a reason that is not known',
    );
  }
  sendFailure(request, response, answer.status, answer.failure, answer.headers);
}

function methodNotAllowed(request: Request, route: Route): RequestError {
  const methods: string[] = route.methods.map((method) => method.toUpperCase());
  if (route.effect === 'reads') methods.push('HEAD');
  const allowed = methods.join(', ');
  return new RequestError(
    'method-not-allowed',
    `${route.path} is not served to ${request.method} but to ${allowed}`,
    { Allow: allowed },
  );
}

function unknownPath(request: Request): RequestError {
  return new RequestError(
    'unknown-path',
    `there is nothing at ${shownPath(request)}; GET / lists all paths, /openapi.json describes them`,
  );
}

/** The path without the query, which may carry what is no business of a log. */
function shownPath(request: Request): string {
  const path = request.originalUrl.split('?')[0] ?? '';
  return path.length > PATH_SHOWN_MAX ? `${path.slice(0, PATH_SHOWN_MAX)}…` : path;
}

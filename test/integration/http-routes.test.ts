import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { z } from 'zod';
import { CodedError } from '../../src/shared/coded-error.js';
import { failureAnswer } from '../../src/supervisor/http/answers.js';
import { createApp } from '../../src/supervisor/http/app.js';
import { BodyReader } from '../../src/supervisor/http/body.js';
import type { OpenApiDocument } from '../../src/supervisor/http/open-api.js';
import { ROUTES } from '../../src/supervisor/http/routes.js';
import { type HttpAnswer, httpRequest, rawExchange } from '../support/http-request.js';
import { KNOWN_REPO, notingOperations, startTestServer } from '../support/http-server.js';
import { recordingLog } from '../support/recording-log.js';

const REPO = encodeURIComponent(KNOWN_REPO);
const PLUGIN = { namespace: 'redis.shop', repo: KNOWN_REPO };
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };

/** A query with which each path succeeds. */
function goodQuery(path: string): string {
  if (path === '/post') return '?ns=redis.shop';
  const namesPlugin = path.startsWith('/plugins/') && !['/plugins/list', '/plugins/outputs'].includes(path);
  return namesPlugin ? `?ns=redis.shop&repo=${REPO}` : '';
}

function codeOf(answer: HttpAnswer): string {
  return failureAnswer.parse(answer.json).error.code;
}

function messageOf(answer: HttpAnswer): string {
  return failureAnswer.parse(answer.json).error.message;
}

function documented(document: OpenApiDocument): string[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method} ${path}`),
  );
}

test('the OpenAPI document names exactly the paths and methods that the router serves', async (t) => {
  const forms = new BodyReader(1024, 1024);
  const app = createApp({
    operations: notingOperations([]),
    namespaceRule: { namespaces: 'any', topicPrefix: 'collect.' },
    forms,
    metrics: forms,
    version: '1.2.3',
    log: recordingLog().log,
  });
  const routes = app.router.stack.map((layer) => layer.route).filter((route) => route !== undefined);
  const served = routes.flatMap((route) => {
    const methods = new Set(
      route.stack.map((layer) => layer.method).filter((method) => method !== undefined),
    );
    return [...methods].map((method) => `${method} ${route.path}`);
  });

  const { address } = await startTestServer(t);
  const { json } = await httpRequest(address, '/openapi.json');

  assert.deepEqual(documented(json as OpenApiDocument).sort(), served.sort());
  assert.ok(served.includes('post /plugins/enbable'));
});

test('every path answers GET and POST as documented, over TCP and over the unix socket', async (t) => {
  const { address, server } = await startTestServer(t);
  for (const target of [address, server.socketPath]) {
    for (const route of ROUTES) {
      for (const method of route.methods) {
        const body = route.path === '/post' ? { body: '[{"name":"a","value":1}]' } : {};
        const answer = await httpRequest(target, route.path + goodQuery(route.path), {
          method: method.toUpperCase(),
          ...body,
        });
        assert.equal(answer.status, 200, `${method} ${route.path}: ${answer.text}`);
        const mediaType = route.mediaType ?? 'application/json';
        assert.match(String(answer.headers['content-type']), new RegExp(`^${mediaType};.*charset=utf-8$`));
        assert.equal(answer.headers['cache-control'], 'no-store');
        assert.equal(answer.headers['x-content-type-options'], 'nosniff');
        const content = route.mediaType === undefined ? answer.json : answer.text;
        assertMatches(route.answer, content, `${method} ${route.path}`);
        const hasOk = route.mediaType === undefined && route.path !== '/openapi.json';
        if (hasOk) assert.equal((answer.json as { ok: boolean }).ok, true);
      }
    }
  }
});

test('what goes wrong is answered in the documented shape with a documented status', async (t) => {
  const { address } = await startTestServer(t);
  const { json } = await httpRequest(address, '/openapi.json');
  const { paths } = json as OpenApiDocument;
  for (const route of ROUTES) {
    for (const query of ['?nonsense=1', '?ns=UPPER', '?ns=a&ns=b', `?ns=redis.shop&repo=unknown`]) {
      for (const method of route.methods) {
        const answer = await httpRequest(address, route.path + query, {
          method: method.toUpperCase(),
          body: 'x=1',
        });
        assert.notEqual(answer.status, 200);
        assertMatches(failureAnswer, answer.json, `${method} ${route.path}${query}`);
        const responses = Object.keys(paths[route.path]?.[method]?.responses as object);
        assert.ok(
          responses.includes(String(answer.status)),
          `${answer.status} of ${method} ${route.path}${query}`,
        );
      }
    }
  }
});

test('the document is OpenAPI 3.1 with an operation id for each operation', async (t) => {
  const { address } = await startTestServer(t);
  const { json } = await httpRequest(address, '/openapi.json');
  const document = json as OpenApiDocument;
  assert.equal(document.openapi, '3.1.0');
  assert.equal(document.info.version, '1.2.3');
  const ids = Object.values(document.paths).flatMap((item) =>
    Object.values(item).map((operation) => operation.operationId),
  );
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(ids.includes('getPluginsList'));
  const parameters = document.paths['/plugins/run']?.get.parameters as { name: string; required: boolean }[];
  assert.deepEqual(
    parameters.map(({ name, required }) => [name, required]),
    [
      ['ns', false],
      ['repo', true],
      ['timeout', false],
      ['param', false],
    ],
  );
});

test('GET / lists all paths', async (t) => {
  const { address } = await startTestServer(t);
  const { json } = await httpRequest(address, '/');
  const { paths } = json as { paths: { path: string }[] };
  assert.deepEqual(
    paths.map(({ path }) => path),
    ROUTES.map(({ path }) => path),
  );
});

test('an unknown path is a 404 that says where the list is', async (t) => {
  const { address } = await startTestServer(t);
  for (const path of [
    '/plugins',
    '/me',
    '/Post',
    '/favicon.ico',
    '/%zz',
    '//me/ns',
    '/plugins/list/x',
    '/__proto__',
  ]) {
    const answer = await httpRequest(address, path);
    assert.equal(answer.status, 404, path);
    assert.equal(codeOf(answer), 'unknown-path');
    assert.match(messageOf(answer), /GET \/ lists all paths/);
  }
});

test('other methods are a 405 that says which ones are served', async (t) => {
  const { address, calls } = await startTestServer(t);
  for (const [method, path, allowed] of [
    ['GET', '/post', 'POST'],
    ['PUT', '/post', 'POST'],
    ['OPTIONS', '/post', 'POST'],
    ['DELETE', '/plugins/run', 'GET, POST'],
    ['PATCH', '/me/status', 'GET, POST, HEAD'],
    ['OPTIONS', '/me/status', 'GET, POST, HEAD'],
    ['TRACE', '/', 'GET, POST, HEAD'],
  ] as const) {
    const answer = await httpRequest(address, path, { method });
    assert.equal(answer.status, 405, `${method} ${path}`);
    assert.equal(answer.headers.allow, allowed);
    assert.equal(codeOf(answer), 'method-not-allowed');
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
  }
  assert.deepEqual(calls, []);
});

test('HEAD looks at what can only be read and changes nothing', async (t) => {
  const { address, calls } = await startTestServer(t);
  const status = await httpRequest(address, '/me/status', { method: 'HEAD' });
  assert.equal(status.status, 200);
  assert.equal(status.text, '');
  for (const path of [`/plugins/run?repo=${REPO}`, `/plugins/disable?repo=${REPO}`, '/update']) {
    assert.equal((await httpRequest(address, path, { method: 'HEAD' })).status, 405, path);
  }
  assert.deepEqual(calls, []);
});

test('CONNECT and "OPTIONS *" are refused with an answer', async (t) => {
  const { address } = await startTestServer(t);
  assert.match(
    await rawExchange(address, `CONNECT example.com:80 HTTP/1.1\r\nHost: ${address}\r\n\r\n`),
    /^HTTP\/1\.1 405 [\s\S]*"ok":false/,
  );
  const options = `OPTIONS * HTTP/1.1\r\nHost: ${address}\r\nConnection: close\r\n\r\n`;
  assert.match(await rawExchange(address, options), /^HTTP\/1\.1 40[045] [\s\S]*"ok":false/);
});

test('an address with a host in the request line is refused', async (t) => {
  const { address, calls } = await startTestServer(t);
  const request = `GET http://evil.example/update HTTP/1.1\r\nHost: ${address}\r\nConnection: close\r\n\r\n`;
  assert.match(await rawExchange(address, request), /^HTTP\/1\.1 400 [\s\S]*"code":"bad-request"/);
  assert.deepEqual(calls, []);
});

test('a run is asked for with the time-out in milliseconds and the parameters split on spaces', async (t) => {
  const { address, calls } = await startTestServer(t);
  const ask = (rest: string) => httpRequest(address, `/plugins/run?repo=${REPO}${rest}`);
  await ask('');
  await ask('&ns=redis.shop&timeout=0.5&param=--port+6380%20%20-v');
  await ask('&ns=&timeout=&param=');
  await ask('&timeout=3600&param=%20');
  assert.deepEqual(calls, [
    ['runPlugin', PLUGIN, { timeoutMs: 10_000, parameters: undefined }],
    ['runPlugin', PLUGIN, { timeoutMs: 500, parameters: ['--port', '6380', '-v'] }],
    ['runPlugin', PLUGIN, { timeoutMs: 10_000, parameters: [] }],
    ['runPlugin', PLUGIN, { timeoutMs: 3_600_000, parameters: [] }],
  ]);
});

test('the result of a failed run is an answer, not an error', async (t) => {
  const { address } = await startTestServer(t);
  const answer = await httpRequest(address, `/plugins/run?repo=${REPO}`);
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.json, {
    ok: true,
    status: 'exit',
    value: 3,
    exitCode: 3,
    durationMs: 20,
    usage: { userMs: 1, systemMs: 2, maxRssBytes: 4096 },
    points: 0,
    badMetrics: 0,
    problem: 'exit code 3',
    stdout: '[]',
    stderr: 'no such database',
  });
});

test('parameters may come as a form, but each only once', async (t) => {
  const { address, calls } = await startTestServer(t);
  const post = (path: string, body: string, headers: Record<string, string> = FORM) =>
    httpRequest(address, path, { method: 'POST', body, headers });
  assert.equal((await post('/plugins/run', `repo=${REPO}&timeout=2`)).status, 200);
  assert.equal((await post(`/plugins/run?repo=${REPO}`, 'timeout=2')).status, 200);
  assert.deepEqual(calls[0], calls[1]);

  const twice = await post(`/plugins/run?repo=${REPO}`, `repo=${REPO}`);
  assert.equal(twice.status, 400);
  assert.match(messageOf(twice), /"repo" is given more than once/);

  const json = await post('/plugins/run', '{"repo":"x"}', { 'Content-Type': 'application/json' });
  assert.equal(json.status, 415);
  const long = await post('/plugins/run', `param=${'x'.repeat(70_000)}`);
  assert.equal(long.status, 413);
  assert.equal(calls.length, 2);
});

test('odd parameters are a 400 that names the parameter', async (t) => {
  const { address, calls } = await startTestServer(t);
  const run = `/plugins/run?repo=${REPO}`;
  for (const [path, name] of [
    ['/plugins/run', 'repo'],
    ['/plugins/run?repo=', 'repo'],
    [`/plugins/run?repo=${'x'.repeat(1025)}`, 'repo'],
    ['/plugins/run?repo=a%00b', 'repo'],
    ['/plugins/run?repo=a%0d%0ab', 'repo'],
    [`${run}&timeout=0`, 'timeout'],
    [`${run}&timeout=-1`, 'timeout'],
    [`${run}&timeout=3601`, 'timeout'],
    [`${run}&timeout=10s`, 'timeout'],
    [`${run}&timeout=NaN`, 'timeout'],
    [`${run}&timeout=Infinity`, 'timeout'],
    [`${run}&timeout=1e3`, 'timeout'],
    [`${run}&timeout=0x10`, 'timeout'],
    [`${run}&timeout=1&timeout=1`, 'timeout'],
    [`${run}&param=a%00b`, 'param'],
    [`${run}&param=${'a+'.repeat(257)}`, 'param'],
    [`${run}&param[]=a`, 'param[]'],
    [`${run}&__proto__=a`, '__proto__'],
    ['/me/status?verbose=1', 'verbose'],
  ] as const) {
    const answer = await httpRequest(address, path);
    assert.equal(answer.status, 400, path);
    assert.equal(codeOf(answer), 'bad-parameter', path);
    assert.ok(messageOf(answer).includes(JSON.stringify(name)), `${path}: ${messageOf(answer)}`);
  }
  assert.deepEqual(calls, []);
});

test('the namespace may be left out only when the host is in exactly one', async (t) => {
  for (const [own, reason] of [
    [[], /is in no namespace/],
    [['a.b', 'c.d'], /2 namespaces \(a\.b, c\.d\)/],
  ] as const) {
    const { address } = await startTestServer(t, { operations: { namespaces: () => own } });
    const answer = await httpRequest(address, `/plugins/enable?repo=${REPO}`);
    assert.equal(answer.status, 400);
    assert.equal(codeOf(answer), 'bad-namespace');
    assert.match(messageOf(answer), reason);
  }
});

test('enable, its alias and disable say what they did', async (t) => {
  const { address, calls } = await startTestServer(t);
  const answers = [];
  for (const path of ['enable', 'enbable', 'disable']) {
    answers.push((await httpRequest(address, `/plugins/${path}?ns=redis.shop&repo=${REPO}`)).json);
  }
  assert.deepEqual(answers, [
    { ok: true, enabled: true },
    { ok: true, enabled: true },
    { ok: true, enabled: false, enabledAgainAt: '2030-01-02T03:04:05.000Z' },
  ]);
  assert.deepEqual(
    calls.map(([, , enabled]) => enabled),
    [true, true, false],
  );
});

test('failures of the agent have their statuses', async (t) => {
  let thrown: unknown;
  const { address, lines } = await startTestServer(t, {
    operations: {
      runPlugin: async () => {
        throw thrown;
      },
    },
  });
  for (const [code, status] of [
    ['unknown-plugin', 404],
    ['running', 409],
    ['git-failed', 502],
    ['busy', 503],
    ['stopping', 503],
  ] as const) {
    thrown = new CodedError(code, `sentence about ${code}`);
    const answer = await httpRequest(address, `/plugins/run?repo=${REPO}`);
    assert.equal(answer.status, status);
    assert.deepEqual(answer.json, { ok: false, error: { code, message: `sentence about ${code}` } });
    assert.equal(answer.headers['retry-after'] !== undefined, status === 503);
  }
  assert.deepEqual(lines, []);
});

test('what nobody expected is a 500 that says nothing of the cause, which is in the log', async (t) => {
  const { address, lines } = await startTestServer(t, {
    operations: {
      status: () => {
        throw new TypeError('secret detail');
      },
      sync: () => Promise.reject(new Error('secret detail')),
    },
  });
  for (const path of ['/me/status', '/update']) {
    const answer = await httpRequest(address, path);
    assert.equal(answer.status, 500);
    assert.equal(codeOf(answer), 'internal');
    assert.doesNotMatch(answer.text, /secret/);
  }
  assert.equal(lines.length, 2);
  assert.match(String(lines[0]?.fields.err), /secret detail/);
  assert.equal((await httpRequest(address, '/me/ns')).status, 200);
});

function assertMatches(schema: z.ZodType, value: unknown, what: string): void {
  const result = schema.safeParse(value);
  assert.ok(result.success, `${what}: ${result.error?.message}`);
}

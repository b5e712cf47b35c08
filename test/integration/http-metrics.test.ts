import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { failureAnswer } from '../../src/supervisor/http/answers.js';
import type { OpenApiDocument } from '../../src/supervisor/http/open-api.js';
import { agentMetrics } from '../../src/supervisor/metrics/agent-metrics.js';
import { readProcessUsage } from '../../src/supervisor/metrics/process-usage.js';
import { readExposition } from '../support/exposition.js';
import { type HttpAnswer, httpRequest } from '../support/http-request.js';
import { STATUS, startTestServer, type TestServerOptions } from '../support/http-server.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const LAG = { p99Seconds: 0, maxSeconds: 0 };

/** A schema in the OpenAPI document, as far as it is read here. */
interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

interface DocumentedAnswers {
  readonly 200: { readonly content: { readonly 'application/json': { readonly schema: Schema } } };
}

/** A server whose metrics are written as the agent writes them. */
function withMetrics(options: TestServerOptions = {}): TestServerOptions {
  const metrics = async () => agentMetrics({ status: STATUS, usage: await readProcessUsage(), lag: LAG });
  return { ...options, operations: { metrics } };
}

function codeOf(answer: HttpAnswer): string {
  return failureAnswer.parse(answer.json).error.code;
}

/** An IPv4 address of this machine that is not loopback. */
function outerAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
}

test('/metrics answers GET, POST and HEAD with the text format, over TCP and over the unix socket', async (t) => {
  const { address, server } = await startTestServer(t, withMetrics());
  for (const target of [address, server.socketPath]) {
    for (const method of ['GET', 'POST', 'HEAD']) {
      const answer = await httpRequest(target, '/metrics', { method });
      assert.equal(answer.status, 200, method);
      assert.equal(answer.headers['content-type'], CONTENT_TYPE);
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.equal(answer.headers['x-content-type-options'], 'nosniff');
      assert.ok(Number(answer.headers['content-length']) > 1000);
      if (method === 'HEAD') assert.equal(answer.text, '');
      else assert.equal(readExposition(answer.text).value('agent_publisher_up'), 1);
    }
  }
});

test('whatever a scraper says that it takes, it gets the one format', async (t) => {
  const { address } = await startTestServer(t, withMetrics());
  const headers = {
    Accept: 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1',
    'Accept-Encoding': 'gzip',
    'X-Prometheus-Scrape-Timeout-Seconds': '10',
  };
  const answer = await httpRequest(address, '/metrics', { headers });
  assert.equal(answer.headers['content-type'], CONTENT_TYPE);
  assert.equal(answer.headers['content-encoding'], undefined);
  assert.ok(readExposition(answer.text).has('agent_info'));
});

test('what goes wrong at /metrics is answered as everywhere, in JSON', async (t) => {
  const { address } = await startTestServer(t, withMetrics());
  const odd = await httpRequest(address, '/metrics?name[]=agent_info');
  assert.equal(odd.status, 400);
  assert.equal(codeOf(odd), 'bad-parameter');
  const put = await httpRequest(address, '/metrics', { method: 'PUT' });
  assert.equal(put.status, 405);
  assert.equal(put.headers.allow, 'GET, POST, HEAD');
  assert.equal((await httpRequest(address, '/Metrics')).status, 404);

  const failing = await startTestServer(t, {
    operations: { metrics: () => Promise.reject(new Error('secret detail')) },
  });
  const answer = await httpRequest(failing.address, '/metrics');
  assert.equal(answer.status, 500);
  assert.equal(codeOf(answer), 'internal');
  assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
  assert.doesNotMatch(answer.text, /secret/);
});

test('with a token file /metrics wants the token over TCP', async (t) => {
  const tokenFile = join(temporaryFolder(t), 'token');
  writeFileSync(tokenFile, 'f00d\n');
  chmodSync(tokenFile, 0o600);
  const { address, server } = await startTestServer(t, withMetrics({ settings: { tokenFile } }));
  for (const headers of [{}, { Authorization: 'Bearer wrong' }] as Record<string, string>[]) {
    const answer = await httpRequest(address, '/metrics', { headers });
    assert.equal(answer.status, 401);
    assert.equal(codeOf(answer), 'unauthorized');
    assert.doesNotMatch(answer.text, /agent_info/);
  }
  const headers = { Authorization: 'Bearer f00d' };
  assert.equal((await httpRequest(address, '/metrics', { headers })).status, 200);
  assert.equal((await httpRequest(server.socketPath, '/metrics')).status, 200);
});

test('other hosts and pages of other sites get a 403 from /metrics', async (t) => {
  const { address } = await startTestServer(t, withMetrics({ settings: { listen: ':0' } }));
  const port = address.slice(address.lastIndexOf(':') + 1);
  const local = `127.0.0.1:${port}`;
  const page = await httpRequest(local, '/metrics', { headers: { Origin: 'http://evil.example' } });
  assert.equal(page.status, 403);
  const renamed = await httpRequest(local, '/metrics', { headers: { Host: 'evil.example' } });
  assert.equal(renamed.status, 403);
  const outer = outerAddress();
  if (outer === undefined) return t.skip('this machine has no address besides loopback');
  const answer = await httpRequest(`${outer}:${port}`, '/metrics');
  assert.equal(answer.status, 403);
  assert.equal(codeOf(answer), 'other-host');
});

test('the OpenAPI document has /metrics with its text, and says of every field of an output what it is', async (t) => {
  const { address } = await startTestServer(t);
  const { json } = await httpRequest(address, '/openapi.json');
  const { paths } = json as OpenApiDocument;
  for (const method of ['get', 'post'] as const) {
    const responses = paths['/metrics']?.[method].responses as Record<string, { content: object }>;
    assert.deepEqual(Object.keys(responses[200]?.content ?? {}), ['text/plain']);
    assert.deepEqual(Object.keys(responses[401]?.content ?? {}), ['application/json']);
  }
  const responses = paths['/me/status']?.get.responses as DocumentedAnswers;
  const output =
    responses[200].content['application/json'].schema.properties?.outputs?.items?.properties ?? {};
  const fields = { ...output, ...output.droppedPoints?.properties };
  const [described] = STATUS.outputs ?? [];
  assert.ok(described);
  assert.deepEqual(
    Object.keys(output).sort(),
    [...Object.keys(described), 'plugin'].sort(),
    'all that is served is documented; `plugin` is there for some outputs only',
  );
  for (const [name, field] of Object.entries(fields)) {
    assert.ok(String(field.description).length > 5, `${name} has a description`);
  }
  const overview = await httpRequest(address, '/');
  assert.match(overview.text, /"path":"\/metrics"/);
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { opensslSkipReason, selfSignedCertificate } from '../support/certificate.js';
import { openInfluxdbOutput, POINT_TIME, type TestPoint } from '../support/influxdb-output.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

/**
 * InfluxDB 2 and 3 are not to be had for tests: what answers here only looks at the requests and gives the answers
 * that those are known to give.
 */
interface StandIn {
  readonly url: string;
  readonly requests: readonly SeenRequest[];
}

interface SeenRequest {
  readonly method: string | undefined;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  /** Without their ends. */
  readonly lines: readonly string[];
}

interface Answer {
  readonly status: number;
  readonly body?: string | object;
  readonly headers?: Readonly<Record<string, string>>;
}

type Answering = (request: SeenRequest, response: ServerResponse) => Answer | undefined;

const WRITTEN: Answer = { status: 204 };

async function startStandIn(
  t: TestContext,
  answering: Answering = () => WRITTEN,
  certificate?: { readonly cert: string; readonly key: string },
): Promise<StandIn> {
  const requests: SeenRequest[] = [];
  const listener = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const seen = seenRequest(request, Buffer.concat(chunks));
    requests.push(seen);
    const answer = answering(seen, response);
    if (answer === undefined) return;
    const { status, body = '', headers = {} } = answer;
    response.writeHead(status, headers);
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
  const handle = (request: IncomingMessage, response: ServerResponse) =>
    // A client that goes away in the middle is part of the tests.
    void listener(request, response).catch(() => response.destroy());
  const server = certificate ? createTlsServer(certificate, handle) : createServer(handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `${certificate ? 'https' : 'http'}://127.0.0.1:${port}`, requests };
}

function seenRequest(request: IncomingMessage, body: Buffer): SeenRequest {
  const url = new URL(request.url ?? '', 'http://stand-in');
  const text = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
  return {
    method: request.method,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: request.headers,
    lines: text.toString('utf8').split('\n'),
  };
}

function numbered(n: number): TestPoint[] {
  return [{ fields: { value: n } }];
}

const lineOf = (n: number) => `m value=${n} ${POINT_TIME}`;

for (const gzip of [true, false]) {
  test(`version 2: path, query, token and lines are as they should be, gzip ${gzip}`, async (t) => {
    const standIn = await startStandIn(t);
    const { deliver, settled, delivered } = openInfluxdbOutput(t, `${standIn.url}/behind/`, {
      version: 2,
      database: 'all %s',
      organization: 'ops & co',
      token: 'a-token',
      gzip,
    });
    deliver('a', [{ tags: { a: 'ü' } }, ...numbered(2)]);
    await settled(1);
    assert.deepEqual(delivered, ['a']);
    const [request, ...others] = standIn.requests;
    assert.deepEqual(others, []);
    assert.deepEqual([request?.method, request?.path], ['POST', '/behind/api/v2/write']);
    assert.deepEqual(request?.query, { org: 'ops & co', bucket: 'all web.shop', precision: 's' });
    assert.deepEqual(request?.lines, [`m,a=ü value=1 ${POINT_TIME}`, lineOf(2)]);
    assert.equal(request?.headers.authorization, 'Token a-token');
    assert.equal(request?.headers['content-encoding'], gzip ? 'gzip' : undefined);
    assert.equal(request?.headers['content-type'], 'text/plain; charset=utf-8');
    assert.equal(request?.headers['user-agent'], 'agent/test');
  });
}

test('version 3: path, query, token and lines are as they should be', async (t) => {
  const standIn = await startStandIn(t);
  const { deliver, settled } = openInfluxdbOutput(t, standIn.url, { version: 3, token: 'a-token' });
  deliver('a', [{ tags: { value: 'a\\b' } }]);
  await settled(1);
  const [request] = standIn.requests;
  assert.deepEqual([request?.method, request?.path], ['POST', '/api/v3/write_lp']);
  assert.deepEqual(request?.query, { db: 'metrics', precision: 'second' });
  assert.deepEqual(request?.lines, [`m,value_=a\\\\b value=1 ${POINT_TIME}`]);
  assert.equal(request?.headers.authorization, 'Bearer a-token');
});

test('version 1: retention policy and user are named, where there are any', async (t) => {
  const standIn = await startStandIn(t);
  const { deliver, settled } = openInfluxdbOutput(t, standIn.url, {
    retentionPolicy: 'long',
    username: 'ü',
    password: 'p:ä',
  });
  deliver('a', numbered(1));
  await settled(1);
  assert.deepEqual(standIn.requests[0]?.query, { db: 'metrics', rp: 'long', precision: 's' });
  const basic = `Basic ${Buffer.from('ü:p:ä').toString('base64')}`;
  assert.equal(standIn.requests[0]?.headers.authorization, basic);
});

test('while a request is under way the next documents gather, up to the bound of points', async (t) => {
  const held: ServerResponse[] = [];
  const standIn = await startStandIn(t, (_, response) => {
    held.push(response);
    return undefined;
  });
  const { output, deliver, settled, delivered } = openInfluxdbOutput(t, standIn.url, { batchPoints: 10 });
  const answerNext = async (place: number) => {
    const response = await waitUntil(`request ${place} is there`, () => held[place]);
    response.writeHead(204).end();
  };
  deliver('first', numbered(0));
  await waitUntil('it is sent', () => standIn.requests.length === 1);
  for (let n = 1; n <= 24; n += 1) deliver(`${n}`, numbered(n));
  deliver(
    'large',
    Array.from({ length: 30 }, (_, n) => ({ fields: { value: n } })),
  );
  for (let place = 0; place < 5; place += 1) await answerNext(place);
  await settled(26);
  assert.deepEqual(
    standIn.requests.map(({ lines }) => lines.length),
    [1, 10, 10, 4, 30],
  );
  assert.deepEqual(standIn.requests[1]?.lines[0], lineOf(1));
  assert.equal(delivered.at(-1), 'large');
  assert.equal(output.state().retriedRecords, 0);
});

test('version 2 writes nothing of a request with a bad point: it is found, and the others arrive', async (t) => {
  const written: string[] = [];
  const standIn = await startStandIn(t, ({ lines }) => {
    const bad = lines.find((line) => line.includes('=-'));
    if (bad !== undefined) {
      return { status: 400, body: { code: 'invalid', message: `unable to parse '${bad}': bad` } };
    }
    written.push(...lines);
    return WRITTEN;
  });
  const { deliver, settled, refused } = openInfluxdbOutput(t, standIn.url, { version: 2 });
  for (let n = 0; n < 50; n += 1) deliver(`${n}`, numbered(n));
  const values = Array.from({ length: 100 }, (_, n) => (n === 13 || n === 77 ? -n : 100 + n));
  deliver(
    'mixed',
    values.map((value) => ({ fields: { value } })),
  );
  for (let n = 50; n < 100; n += 1) deliver(`${n}`, numbered(n));
  await settled(101);
  assert.deepEqual(
    refused.map(({ name, reason }) => [name, reason]),
    [['mixed', `2 of 100 points: unable to parse '${lineOf(-13)}': bad (status 400)`]],
  );
  assert.equal(written.length, 198);
  assert.deepEqual(new Set(written).size, 198);
  assert.ok(standIn.requests.length < 80, `${standIn.requests.length} requests`);
});

test('a document of nothing but bad points costs a bounded number of requests', async (t) => {
  const standIn = await startStandIn(t, () => ({ status: 400, body: { error: 'unable to parse' } }));
  const { deliver, settled, refused } = openInfluxdbOutput(t, standIn.url);
  deliver(
    'bad',
    Array.from({ length: 5000 }, (_, n) => ({ fields: { value: n } })),
  );
  await settled(1);
  assert.deepEqual(refused, [{ name: 'bad', reason: 'unable to parse (status 400)' }]);
  assert.ok(standIn.requests.length <= 250, `${standIn.requests.length} requests`);
});

test('points that no line can be made of are refused, the others are written; damage is refused', async (t) => {
  const standIn = await startStandIn(t);
  const { output, deliver, settled, refused } = openInfluxdbOutput(t, standIn.url);
  deliver('half', [...numbered(1), { fields: { value: null } }]);
  deliver('none', [{ fields: {} }]);
  deliver('empty', []);
  const damaged: (string | undefined)[] = [];
  output.deliver({ namespace: 'a', points: 1, document: Buffer.from('{"poi') }, (reason) =>
    damaged.push(reason),
  );
  await settled(3);
  await waitUntil('it is settled', () => damaged.length === 1);
  assert.match(damaged[0] ?? '', /^this is no points document: /);
  assert.deepEqual(
    refused.map(({ name, reason }) => [name, reason]),
    [
      ['half', '1 of 2 points: field "value" of a point is null'],
      ['none', 'a point has no fields'],
    ],
  );
  assert.deepEqual(
    standIn.requests.flatMap(({ lines }) => lines),
    [lineOf(1)],
  );
});

test('busy, failing and foreign servers: nothing is refused, one line in the log for each change', async (t) => {
  const answers: Answer[] = [
    { status: 503, headers: { 'retry-after': '0' } },
    { status: 429 },
    { status: 500, body: { error: 'timeout' } },
    { status: 502, body: '<html>Bad Gateway</html>' },
    { status: 400, body: 'Client sent an HTTP request to an HTTPS server.' },
    { status: 200, body: '<html>Welcome</html>', headers: { 'content-type': 'text/html' } },
    { status: 302, headers: { location: '/login' } },
  ];
  const count = answers.length;
  const standIn = await startStandIn(t, () => answers.shift() ?? WRITTEN);
  const { output, deliver, settled, delivered, lines } = openInfluxdbOutput(t, standIn.url, {
    token: 'a-token',
  });
  deliver('a', numbered(1));
  deliver('b', numbered(2));
  await settled(2);
  assert.deepEqual(delivered, ['a', 'b']);
  assert.equal(standIn.requests.length, count + 1);
  assert.equal(output.state().retriedRecords, count * 2);
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['error', 'info'],
  );
  assert.doesNotMatch(JSON.stringify([lines, output.state()]), /a-token/);
});

test('a server that asks to wait is asked again later than one that does not', async (t) => {
  const asked: string[] = [];
  const failOnce = (name: string, headers: Record<string, string>) => () => {
    asked.push(name);
    return asked.filter((other) => other === name).length > 1 ? WRITTEN : { status: 503, headers };
  };
  const patient = await startStandIn(t, failOnce('patient', { 'retry-after': '1' }));
  const other = await startStandIn(t, failOnce('other', {}));
  const outputs = [patient, other].map(({ url }) => openInfluxdbOutput(t, url));
  for (const { deliver } of outputs) deliver('a', numbered(1));
  for (const { settled } of outputs) await settled(1);
  assert.equal(asked.length, 4);
  assert.deepEqual(asked.slice(-2), ['other', 'patient']);
});

test('an answer that never ends, or is very long, does not hold up the points', async (t) => {
  let place = 0;
  const standIn = await startStandIn(t, (_, response) => {
    place += 1;
    if (place > 2) return WRITTEN;
    response.writeHead(503);
    response.write('x'.repeat(200_000));
    if (place === 2) response.end('x'.repeat(2_000_000));
    return undefined;
  });
  const { deliver, settled, delivered } = openInfluxdbOutput(t, standIn.url, { responseTimeoutMs: 200 });
  deliver('a', numbered(1));
  await settled(1);
  assert.deepEqual(delivered, ['a']);
});

test('a server that closes connections instead of refusing what is too large gets less at once', async (t) => {
  const written: string[] = [];
  const standIn = await startStandIn(t, ({ lines }, response) => {
    if (lines.join('\n').length > 300_000) {
      response.destroy();
      return undefined;
    }
    written.push(...lines);
    return WRITTEN;
  });
  const { deliver, settled, refused } = openInfluxdbOutput(t, standIn.url, { gzip: false });
  const value = 'x'.repeat(1000);
  for (let document = 0; document < 10; document += 1) {
    deliver(
      `${document}`,
      Array.from({ length: 200 }, (_, n) => ({ tags: { n: `${document}-${n}` }, fields: { value } })),
    );
  }
  await settled(10);
  assert.deepEqual([new Set(written).size, refused], [2000, []]);
});

test('TLS: the authority is checked, one can be named, and the check can be left out', {
  skip: opensslSkipReason,
}, async (t) => {
  const certificate = selfSignedCertificate(temporaryFolder(t), 'influx');
  const standIn = await startStandIn(t, () => WRITTEN, certificate);
  const named = openInfluxdbOutput(t, standIn.url, { ca: certificate.cert });
  const unchecked = openInfluxdbOutput(t, standIn.url, { insecure: true });
  const unknown = openInfluxdbOutput(t, standIn.url);
  const noTls = openInfluxdbOutput(t, standIn.url.replace('https', 'http'));
  for (const { deliver } of [named, unchecked, unknown, noTls]) deliver('a', numbered(1));
  await Promise.all([named.settled(1), unchecked.settled(1)]);
  await waitUntil('both are tried again', () =>
    [unknown, noTls].every(({ output }) => output.state().retriedRecords >= 2),
  );
  assert.match(unknown.output.state().lastError ?? '', /certificate is of an authority that is not known/);
  assert.deepEqual([...unknown.delivered, ...unknown.refused, ...noTls.delivered, ...noTls.refused], []);
});

test('nothing listens there: that is said once, with the reason', async (t) => {
  const { output, deliver, lines } = openInfluxdbOutput(t, 'http://127.0.0.1:1');
  deliver('a', numbered(1));
  await waitUntil('it is tried again', () => output.state().retriedRecords >= 3);
  assert.deepEqual(
    lines.map(({ message }) => message),
    [
      'cannot write to InfluxDB at http://127.0.0.1:1: it refuses connections; is it running there?; points are kept and sent again',
    ],
  );
  assert.equal(output.state().state, 'cannot write to InfluxDB at http://127.0.0.1:1');
});

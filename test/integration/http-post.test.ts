import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { failureAnswer } from '../../src/supervisor/http/answers.js';
import { OWN_MEMORY_BYTES, type PostAnswer } from '../../src/supervisor/http/operations.js';
import { type HttpAnswer, httpRequest, RawConnection, rawExchange } from '../support/http-request.js';
import { startTestServer } from '../support/http-server.js';
import { waitUntil } from '../support/wait-until.js';

const METRICS = '[{"name":"a","value":1}]';

function post(target: string, body: string | Buffer, query = '', headers: Record<string, string> = {}) {
  return httpRequest(target, `/post${query}`, { method: 'POST', body, headers });
}

function failureOf(answer: HttpAnswer) {
  return failureAnswer.parse(answer.json).error;
}

/** A chunk of a chunked body. */
function chunk(size: number): Buffer {
  return Buffer.concat([
    Buffer.from(`${size.toString(16)}\r\n`),
    Buffer.alloc(size, ' '),
    Buffer.from('\r\n'),
  ]);
}

test('metrics go to the namespace that is named, or to the only one of the host', async (t) => {
  const { address, calls } = await startTestServer(t);
  assert.deepEqual((await post(address, METRICS, '?ns=web.shop')).json, { ok: true, points: 1 });
  assert.equal((await post(address, METRICS)).status, 200);
  assert.equal((await post(address, METRICS, '?ns=')).status, 200);
  assert.deepEqual(
    calls.map(([, namespace, body]) => [namespace, body]),
    [
      ['web.shop', METRICS],
      ['redis.shop', METRICS],
      ['redis.shop', METRICS],
    ],
  );
});

test('a host in none or several namespaces wants to be told which', async (t) => {
  for (const own of [[], ['a.b', 'c.d']]) {
    const { address } = await startTestServer(t, { operations: { namespaces: () => own } });
    const answer = await post(address, METRICS);
    assert.equal(answer.status, 400);
    assert.equal(failureOf(answer).code, 'bad-namespace');
    for (const namespace of own) assert.ok(failureOf(answer).message.includes(namespace));
    assert.equal((await post(address, METRICS, '?ns=x.y')).status, 200);
  }
});

test('a name that is no namespace is a 400', async (t) => {
  const { address, calls } = await startTestServer(t);
  for (const name of ['Upper', 'a b', '../etc', 'a..b', '.a', 'a/b', 'ä', `${'x'.repeat(57)}`, 'a%00']) {
    const answer = await post(
      address,
      METRICS,
      `?ns=${name.includes('%') ? name : encodeURIComponent(name)}`,
    );
    assert.equal(answer.status, 400, name);
    assert.equal(failureOf(answer).code, 'bad-namespace', name);
  }
  assert.equal((await post(address, METRICS, `?ns=${'x'.repeat(56)}`)).status, 200);
  assert.equal(calls.length, 1);
});

test('namespaces = "own" refuses those that the host is not in', async (t) => {
  const { address, calls } = await startTestServer(t, { settings: { namespaces: 'own' } });
  const answer = await post(address, METRICS, '?ns=web.shop');
  assert.equal(answer.status, 403);
  assert.equal(failureOf(answer).code, 'foreign-namespace');
  assert.match(failureOf(answer).message, /"web\.shop" but in redis\.shop/);
  assert.equal((await post(address, METRICS, '?ns=redis.shop')).status, 200);
  assert.equal(calls.length, 1);
});

test('unknown and repeated parameters are a 400', async (t) => {
  const { address, calls } = await startTestServer(t);
  for (const query of ['?namespace=redis.shop', '?ns=a&ns=b', '?ns=a&ns=a', '?ns=a&x=1']) {
    assert.equal((await post(address, METRICS, query)).status, 400, query);
  }
  assert.deepEqual(calls, []);
});

test('any content type is taken', async (t) => {
  const { address, calls } = await startTestServer(t);
  for (const type of [
    'application/x-www-form-urlencoded',
    'text/plain',
    'application/json; charset=utf-8',
    'x',
    '',
  ]) {
    const headers: Record<string, string> = type === '' ? {} : { 'Content-Type': type };
    assert.equal((await post(address, METRICS, '', headers)).status, 200, type);
  }
  assert.ok(calls.every(([, , body]) => body === METRICS));
});

test('what the agent makes of the metrics becomes the answer', async (t) => {
  let given: PostAnswer = { type: 'accepted', points: 7 };
  const { address } = await startTestServer(t, { operations: { post: async () => given } });
  assert.deepEqual((await post(address, METRICS)).json, { ok: true, points: 7 });

  given = { type: 'not-json', reason: 'it ends in the middle' };
  const notJson = await post(address, '[{');
  assert.equal(notJson.status, 400);
  assert.match(failureOf(notJson).message, /it ends in the middle/);

  given = { type: 'bad-metric', index: 3, reason: 'value is missing' };
  const badMetric = await post(address, METRICS);
  assert.equal(badMetric.status, 400);
  assert.deepEqual(failureOf(badMetric), {
    code: 'bad-metric',
    message: 'metric 3 of the list is bad: value is missing; nothing was sent',
    index: 3,
    reason: 'value is missing',
  });

  given = { type: 'busy', retryAfterSeconds: 1.2, reason: 'no broker answers' };
  const busy = await post(address, METRICS);
  assert.equal(busy.status, 503);
  assert.equal(busy.headers['retry-after'], '2');
  assert.match(failureOf(busy).message, /no broker answers/);

  given = { type: 'refused', reason: 'E_BAD_TOPIC' };
  const refused = await post(address, METRICS);
  assert.equal(refused.status, 422);
  assert.match(failureOf(refused).message, /E_BAD_TOPIC/);
});

test('an empty body is a 400', async (t) => {
  const { address, calls } = await startTestServer(t);
  for (const headers of [{}, { 'Transfer-Encoding': 'chunked' }, { 'Content-Encoding': 'identity' }]) {
    const answer = await post(address, '', '', headers as Record<string, string>);
    assert.equal(answer.status, 400);
    assert.equal(failureOf(answer).code, 'empty-body');
  }
  const packed = await post(address, gzipSync(''), '', { 'Content-Encoding': 'gzip' });
  assert.equal(failureOf(packed).code, 'empty-body');
  assert.deepEqual(calls, []);
});

test('a body at the bound is taken, one byte more is a 413 that names the bound', async (t) => {
  const { address, calls } = await startTestServer(t, { settings: { maxBodyBytes: 100_000 } });
  assert.equal((await post(address, ' '.repeat(100_000))).status, 200);
  assert.equal(
    (await post(address, ' '.repeat(100_000), '', { 'Transfer-Encoding': 'chunked' })).status,
    200,
  );
  for (const headers of [{}, { 'Transfer-Encoding': 'chunked' }]) {
    const answer = await post(address, ' '.repeat(100_001), '', headers as Record<string, string>);
    assert.equal(answer.status, 413);
    assert.equal(failureOf(answer).code, 'too-large');
    assert.match(failureOf(answer).message, /100000 bytes/);
  }
  assert.equal(calls.length, 2);
});

test('a client that never stops sending gets its 413 and is cut off', async (t) => {
  const { address } = await startTestServer(t, { settings: { maxBodyBytes: 100_000 } });
  const connection = new RawConnection(address);
  connection.send(`POST /post HTTP/1.1\r\nHost: ${address}\r\nTransfer-Encoding: chunked\r\n\r\n`);
  const piece = chunk(64 * 1024);
  const pump = () => {
    while (!connection.socket.destroyed && connection.socket.write(piece));
  };
  connection.socket.on('drain', pump);
  pump();
  assert.match(await connection.closed(), /^HTTP\/1\.1 413 [\s\S]*"code":"too-large"/);
});

test('a declared length over the bound is refused before a byte of it is sent', async (t) => {
  const { address } = await startTestServer(t);
  const head = `POST /post HTTP/1.1\r\nHost: ${address}\r\nContent-Length: 99999999999\r\n`;
  assert.match(await rawExchange(address, `${head}\r\n`), /^HTTP\/1\.1 413 /);
  const waiting = await rawExchange(address, `${head}Expect: 100-continue\r\n\r\n`);
  assert.match(waiting, /^HTTP\/1\.1 413 /);
});

test('a client that asks first is told to go on', async (t) => {
  const { address, calls } = await startTestServer(t);
  const connection = new RawConnection(address);
  connection.send(
    `POST /post HTTP/1.1\r\nHost: ${address}\r\nContent-Length: ${METRICS.length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`,
  );
  await waitUntil('the server says to go on', () => connection.received.startsWith('HTTP/1.1 100 '));
  connection.send(METRICS);
  assert.match(await connection.closed(), /HTTP\/1\.1 200 /);
  assert.equal(calls.length, 1);

  const odd = `POST /post HTTP/1.1\r\nHost: ${address}\r\nContent-Length: 2\r\nExpect: cake\r\nConnection: close\r\n\r\n[]`;
  assert.match(await rawExchange(address, odd), /^HTTP\/1\.1 417 [\s\S]*"ok":false/);
});

test('a packed body is unpacked', async (t) => {
  const { address, calls } = await startTestServer(t);
  for (const encoding of ['gzip', 'x-gzip', 'GZIP']) {
    assert.equal((await post(address, gzipSync(METRICS), '', { 'Content-Encoding': encoding })).status, 200);
  }
  assert.deepEqual(
    calls.map(([, , body]) => body),
    [METRICS, METRICS, METRICS],
  );
});

test('the bound counts for what a packed body unpacks to', async (t) => {
  const { address, calls } = await startTestServer(t, { settings: { maxBodyBytes: 100_000 } });
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  assert.ok(bomb.length < 100_000);
  const answer = await post(address, bomb, '', { 'Content-Encoding': 'gzip' });
  assert.equal(answer.status, 413);
  assert.equal(
    (await post(address, gzipSync(' '.repeat(100_000)), '', { 'Content-Encoding': 'gzip' })).status,
    200,
  );
  assert.equal(calls.length, 1);
});

test('what is not packed as it says is a 400, other packings are a 415', async (t) => {
  const { address, calls } = await startTestServer(t);
  const packed = gzipSync(METRICS.repeat(10));
  for (const body of [METRICS, packed.subarray(0, packed.length - 12)]) {
    const answer = await post(address, body, '', { 'Content-Encoding': 'gzip' });
    assert.equal(answer.status, 400);
    assert.equal(failureOf(answer).code, 'bad-encoding');
  }
  for (const encoding of ['br', 'deflate', 'gzip, gzip']) {
    const answer = await post(address, METRICS, '', { 'Content-Encoding': encoding });
    assert.equal(answer.status, 415, encoding);
    assert.equal(answer.headers['accept-encoding'], 'gzip');
  }
  assert.deepEqual(calls, []);
});

test('a large body owns its memory, so that it can go to another thread', async (t) => {
  const owning: boolean[] = [];
  const { address } = await startTestServer(t, {
    operations: {
      post: async (_namespace, body) => {
        owning.push(body.buffer.byteLength === body.byteLength);
        structuredClone(body.buffer, { transfer: [body.buffer as ArrayBuffer] });
        return { type: 'accepted', points: body.byteLength };
      },
    },
  });
  const large = ' '.repeat(OWN_MEMORY_BYTES + 1);
  await post(address, large);
  await post(address, gzipSync(large), '', { 'Content-Encoding': 'gzip' });
  await post(address, large.repeat(20), '', { 'Transfer-Encoding': 'chunked' });
  assert.deepEqual(owning, [true, true, true]);
});

test('bodies held at once are bounded, and their room comes back however they end', async (t) => {
  const held: (() => void)[] = [];
  const { address } = await startTestServer(t, {
    settings: { maxBodyBytes: 50_000 },
    limits: { maxBodiesHeld: 2 },
    operations: {
      post: (_namespace, body) =>
        new Promise((resolve) => {
          if (body.length < 50_000) resolve({ type: 'accepted', points: 0 });
          else held.push(() => resolve({ type: 'accepted', points: 1 }));
        }),
    },
  });
  const full = ' '.repeat(50_000);
  const first = [post(address, full), post(address, full)];
  await waitUntil('both are with the agent', () => held.length === 2);
  const third = await post(address, full);
  assert.equal(third.status, 503);
  assert.equal(third.headers['retry-after'], '1');
  for (const release of held.splice(0)) release();
  assert.deepEqual(
    (await Promise.all(first)).map(({ status }) => status),
    [200, 200],
  );

  const leaving = [new RawConnection(address), new RawConnection(address)];
  for (const connection of leaving) {
    connection.send(
      `POST /post HTTP/1.1\r\nHost: ${address}\r\nContent-Length: 50000\r\n\r\n${' '.repeat(49_000)}`,
    );
  }
  await waitUntil(
    'half bodies fill the room',
    async () => (await post(address, ' '.repeat(4_000))).status === 503,
  );
  for (const connection of leaving) connection.destroy();
  await waitUntil('their room is back', async () => (await post(address, ' '.repeat(4_000))).status === 200);
  await post(address, ' '.repeat(50_001));
  await post(address, METRICS, '', { 'Content-Encoding': 'gzip' });
  const again = [post(address, full), post(address, full)];
  await waitUntil('both are with the agent again', () => held.length === 2);
  for (const release of held.splice(0)) release();
  assert.deepEqual(
    (await Promise.all(again)).map(({ status }) => status),
    [200, 200],
  );
});

test('64 connections are served at once while slow ones hang about', async (t) => {
  const { address, calls } = await startTestServer(t);
  const slow = Array.from({ length: 20 }, () => new RawConnection(address));
  for (const connection of slow) {
    connection.send(`POST /post HTTP/1.1\r\nHost: ${address}\r\nContent-Length: 1000\r\n\r\n[`);
  }
  const connections = Array.from({ length: 64 }, () => new RawConnection(address));
  const request = `POST /post HTTP/1.1\r\nHost: ${address}\r\nContent-Length: ${METRICS.length}\r\n\r\n${METRICS}`;
  for (const connection of connections) connection.send(request.repeat(10));
  for (const connection of connections) {
    await waitUntil('ten answers came', () => connection.received.split('"ok":true').length === 11);
    connection.destroy();
  }
  assert.equal(calls.length, 640);
  for (const connection of slow) connection.destroy();
});

test('a failing agent is a 500 and the next post goes through', async (t) => {
  let fail = true;
  const { address, lines } = await startTestServer(t, {
    operations: {
      post: async () => {
        if (fail) throw new Error('boom');
        return { type: 'accepted', points: 1 };
      },
    },
  });
  assert.equal((await post(address, METRICS)).status, 500);
  fail = false;
  assert.equal((await post(address, METRICS)).status, 200);
  assert.equal(lines.length, 1);
});

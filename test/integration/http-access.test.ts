import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { failureAnswer } from '../../src/supervisor/http/answers.js';
import { type HttpAnswer, httpRequest, RawConnection, rawExchange } from '../support/http-request.js';
import { KNOWN_REPO, startTestServer } from '../support/http-server.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const TOKEN = 'f00d-and-d4ta';
const TOKEN_HEADER = { Authorization: `Bearer ${TOKEN}` };
const RUN = `/plugins/run?repo=${encodeURIComponent(KNOWN_REPO)}`;

function codeOf(answer: HttpAnswer): string {
  return failureAnswer.parse(answer.json).error.code;
}

function messageOf(answer: HttpAnswer): string {
  return failureAnswer.parse(answer.json).error.message;
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(':') + 1);
}

function tokenFile(t: TestContext, text = `${TOKEN}\n`): string {
  const path = join(temporaryFolder(t), 'token');
  writeFileSync(path, text);
  chmodSync(path, 0o600);
  return path;
}

/** An IPv4 address of this machine that is not loopback. */
function outerAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
}

test('requests from other hosts get a 403 with the way out, even where they say they are local', async (t) => {
  const outer = outerAddress();
  if (outer === undefined) return t.skip('this machine has no address besides loopback');
  const { address, calls } = await startTestServer(t, { settings: { listen: ':0' } });
  const port = portOf(address);
  assert.equal((await httpRequest(`127.0.0.1:${port}`, '/me/ns')).status, 200);
  for (const headers of [{}, { 'X-Forwarded-For': '127.0.0.1' }, { Host: `localhost:${port}` }]) {
    const answer = await httpRequest(`${outer}:${port}`, RUN, { headers: headers as Record<string, string> });
    assert.equal(answer.status, 403);
    assert.equal(codeOf(answer), 'other-host');
    assert.match(messageOf(answer), /tokenfile.*insecure = true/);
    assert.equal(answer.headers.connection, 'close');
  }
  assert.deepEqual(calls, []);
});

test('insecure = true takes requests from other hosts, but no foreign pages', async (t) => {
  const outer = outerAddress();
  if (outer === undefined) return t.skip('this machine has no address besides loopback');
  const { address } = await startTestServer(t, { settings: { listen: '0.0.0.0:0', insecure: true } });
  const target = `${outer}:${portOf(address)}`;
  assert.equal((await httpRequest(target, '/me/ns')).status, 200);
  assert.equal((await httpRequest(target, RUN, { headers: { Origin: 'http://evil.example' } })).status, 403);
  assert.equal((await httpRequest(target, RUN, { headers: { Host: 'evil.example' } })).status, 403);
});

test('with a token file every TCP request needs the token, from this host too', async (t) => {
  const { address, server, calls, lines } = await startTestServer(t, {
    settings: { tokenFile: tokenFile(t), insecure: true },
  });
  for (const authorization of [
    undefined,
    'Bearer',
    'Bearer ',
    'Bearer wrong',
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.slice(0, -1)}`,
    `Bearer ${TOKEN} ${TOKEN}`,
    `Basic ${Buffer.from(`agent:${TOKEN}`).toString('base64')}`,
    TOKEN,
  ]) {
    const headers: Record<string, string> =
      authorization === undefined ? {} : { Authorization: authorization };
    for (const path of [RUN, '/', '/openapi.json', '/nowhere']) {
      const answer = await httpRequest(address, path, { headers });
      assert.equal(answer.status, 401, String(authorization));
      assert.equal(codeOf(answer), 'unauthorized');
      assert.equal(answer.headers['www-authenticate'], 'Bearer realm="agent"');
      assert.doesNotMatch(answer.text, new RegExp(TOKEN));
    }
  }
  assert.deepEqual(calls, []);
  for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
    const answer = await httpRequest(address, RUN, { headers: { Authorization: `${scheme} ${TOKEN}` } });
    assert.equal(answer.status, 200);
  }
  assert.equal((await httpRequest(server.socketPath, '/me/ns')).status, 200);
  assert.doesNotMatch(JSON.stringify(lines), new RegExp(TOKEN));
});

test('other hosts come in with the token, by any name', async (t) => {
  const outer = outerAddress();
  if (outer === undefined) return t.skip('this machine has no address besides loopback');
  const { address } = await startTestServer(t, { settings: { listen: ':0', tokenFile: tokenFile(t) } });
  const target = `${outer}:${portOf(address)}`;
  assert.equal((await httpRequest(target, '/me/ns', { headers: TOKEN_HEADER })).status, 200);
  const named = { ...TOKEN_HEADER, Host: 'db1.example.com:1232' };
  assert.equal((await httpRequest(target, '/me/ns', { headers: named })).status, 200);
  assert.equal((await httpRequest(target, '/me/ns')).status, 401);
});

test('pages of other sites are refused, with a token too', async (t) => {
  const open = await startTestServer(t);
  const guarded = await startTestServer(t, { settings: { tokenFile: tokenFile(t) } });
  for (const { address, calls } of [open, guarded]) {
    for (const headers of [
      { Origin: 'http://evil.example' },
      { Origin: 'null' },
      { Origin: '' },
      { Origin: 'file://' },
      { Origin: `http://evil.example:${portOf(address)}` },
      { Origin: `http://127.0.0.1.evil.example:${portOf(address)}` },
      { Origin: `http://127.0.0.1@evil.example:${portOf(address)}` },
      { Origin: 'http://localhost:3000' },
      { Origin: 'http://evil.example', Host: 'evil.example' },
      { Origin: `https://localhost:${portOf(address)}` },
      { Origin: 'chrome-extension://abcdef' },
      { 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-site' },
      { Referer: 'http://evil.example/page' },
      { Referer: 'http://localhost:3000/page' },
    ] as Record<string, string>[]) {
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        const answer = await httpRequest(address, RUN, { method, headers: { ...TOKEN_HEADER, ...headers } });
        assert.equal(answer.status, 403, JSON.stringify(headers));
        assert.equal(codeOf(answer), 'foreign-page');
        assert.match(messageOf(answer), /\[http\] hosts/);
        assert.equal(answer.headers['access-control-allow-origin'], undefined);
      }
    }
    assert.deepEqual(calls, []);
  }
});

test("the agent's own pages are let in", async (t) => {
  const { address } = await startTestServer(t);
  const port = portOf(address);
  for (const headers of [
    { Origin: `http://${address}` },
    { Origin: `http://localhost:${port}` },
    { Referer: `http://${address}/openapi.json` },
    { 'Sec-Fetch-Site': 'none' },
    { Host: 'localhost:8080', Origin: 'http://localhost:8080' },
    { Host: 'localhost', Origin: 'https://localhost' },
    { 'Sec-Fetch-Site': 'same-origin', Origin: `http://${address}` },
  ] as Record<string, string>[]) {
    assert.equal((await httpRequest(address, '/me/ns', { headers })).status, 200, JSON.stringify(headers));
  }
});

test('a name that leads here but is not ours is refused, whoever resolves it so', async (t) => {
  const { address, calls } = await startTestServer(t);
  const port = portOf(address);
  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    `localhost.evil.example:${port}`,
    `0.0.0.0:${port}`,
    `evil@localhost:${port}`,
    `${hostname()}.evil.example`,
    'localhost:port',
    'localhost/evil',
    '192.0.2.255',
    '[::2]:80',
  ]) {
    const answer = await httpRequest(address, RUN, { headers: { Host: host } });
    assert.equal(answer.status, 403, JSON.stringify(host));
    assert.equal(codeOf(answer), 'foreign-page');
  }
  assert.match(await rawExchange(address, `GET ${RUN} HTTP/1.1\r\nHost:\r\n\r\n`), /^HTTP\/1\.1 403 /);
  assert.deepEqual(calls, []);
});

test('the names and addresses of this host are its own', async (t) => {
  const { address } = await startTestServer(t, { settings: { hosts: ['agent.example.com'] } });
  const port = portOf(address);
  const outer = outerAddress();
  for (const host of [
    'localhost',
    'LOCALHOST',
    'localhost.',
    `localhost:${port}`,
    `127.0.0.1:${port}`,
    '127.8.9.10',
    '[::1]',
    `[::1]:${port}`,
    '[::ffff:127.0.0.1]',
    hostname(),
    `${hostname()}:${port}`,
    'agent.example.com',
    'Agent.Example.com:8080',
    ...(outer === undefined ? [] : [`${outer}:${port}`]),
  ]) {
    const answer = await httpRequest(address, '/me/ns', { headers: { Host: host } });
    assert.equal(answer.status, 200, `${host}: ${answer.text}`);
  }
});

test('pages under a name of [http] hosts are ours on every port', async (t) => {
  const { address } = await startTestServer(t, { settings: { hosts: ['agent.example.com'] } });
  for (const origin of ['https://agent.example.com', 'http://agent.example.com:8080']) {
    const headers = { Origin: origin, Referer: `${origin}/page`, Host: 'agent.example.com' };
    assert.equal((await httpRequest(address, '/me/ns', { headers })).status, 200);
  }
  const other = { Origin: 'https://sub.agent.example.com' };
  assert.equal((await httpRequest(address, '/me/ns', { headers: other })).status, 403);
});

test('programs on the unix socket are let in whatever their headers say', async (t) => {
  const { server } = await startTestServer(t, { settings: { tokenFile: tokenFile(t) } });
  const headers = { Host: 'whatever', Origin: 'http://evil.example' };
  assert.equal((await httpRequest(server.socketPath, '/me/ns', { headers })).status, 200);
});

test('HTTP/1.1 without Host is no request; HTTP/1.0 is', async (t) => {
  const { address } = await startTestServer(t);
  assert.match(
    await rawExchange(address, 'GET /me/ns HTTP/1.1\r\nConnection: close\r\n\r\n'),
    /^HTTP\/1\.1 400 /,
  );
  assert.match(await rawExchange(address, 'GET /me/ns HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 /);
});

test('two origins in one request are foreign', async (t) => {
  const { address } = await startTestServer(t);
  const own = `Origin: http://${address}\r\n`;
  const request = `GET /me/ns HTTP/1.1\r\nHost: ${address}\r\n${own}Origin: http://evil.example\r\n\r\n`;
  assert.match(await rawExchange(address, request), /^HTTP\/1\.1 403 /);
});

test('a refused client does not get to send its body', async (t) => {
  const { address } = await startTestServer(t, { settings: { tokenFile: tokenFile(t) } });
  const connection = new RawConnection(address);
  connection.send(
    `POST /post HTTP/1.1\r\nHost: ${address}\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n`,
  );
  assert.match(await connection.closed(), /^HTTP\/1\.1 401 /);
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { CodedError } from '../../src/shared/coded-error.js';
import { startHttpServer } from '../../src/supervisor/http/server.js';
import { httpRequest, RawConnection, rawExchange } from '../support/http-request.js';
import { notingOperations, startTestServer, testSettings } from '../support/http-server.js';
import { recordingLog } from '../support/recording-log.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

function start(settings: Parameters<typeof startHttpServer>[0]) {
  return startHttpServer(settings, notingOperations([]), recordingLog().log);
}

/** Checks that a server does not start, for a reason that the message gives. */
async function assertRefused(
  settings: Parameters<typeof startHttpServer>[0],
  code: string,
  ...parts: RegExp[]
) {
  await assert.rejects(start(settings), (thrown) => {
    assert.ok(thrown instanceof CodedError);
    assert.equal(thrown.code, code);
    for (const part of parts) assert.match(thrown.message, part);
    return true;
  });
}

test('the unix socket is for its owner and group, whatever the umask says', async (t) => {
  const before = process.umask(0);
  t.after(() => process.umask(before));
  const { server } = await startTestServer(t);
  assert.equal(lstatSync(server.socketPath).mode & 0o777, 0o660);
  assert.deepEqual(readdirSync(dirname(server.socketPath)), ['agent.sock']);
});

test('the socket file goes when the server closes', async (t) => {
  const settings = testSettings(t);
  const server = await start(settings);
  assert.equal((await httpRequest(settings.socketPath, '/me/ns')).status, 200);
  await server.close();
  assert.deepEqual(readdirSync(dirname(settings.socketPath)), []);
  await server.close();
});

test('a socket file that nobody listens on is replaced', async (t) => {
  const settings = testSettings(t);
  const left = createServer().listen(settings.socketPath);
  await once(left, 'listening');
  const kept = join(dirname(settings.socketPath), 'kept');
  // Node removes the file of a server that it closes; a process that is killed leaves it behind.
  linkSync(settings.socketPath, kept);
  left.close();
  await once(left, 'close');
  renameSync(kept, settings.socketPath);
  assert.ok(lstatSync(settings.socketPath).isSocket());

  const server = await start(settings);
  t.after(() => server.close());
  assert.equal((await httpRequest(settings.socketPath, '/me/ns')).status, 200);
});

test('the socket of a living server is left alone', async (t) => {
  const { server } = await startTestServer(t);
  const settings = { ...testSettings(t), socketPath: server.socketPath };
  await assertRefused(settings, 'listen', /another agent listens there/, /agent\.sock/);
  assert.equal((await httpRequest(server.socketPath, '/me/ns')).status, 200);
});

test('what is no socket is never replaced', async (t) => {
  const settings = testSettings(t);
  writeFileSync(settings.socketPath, 'precious');
  await assertRefused(settings, 'listen', /no socket/, /rundir/);
  unlinkSync(settings.socketPath);
  mkdirSync(settings.socketPath);
  await assertRefused(settings, 'listen', /no socket/);
  const link = { ...settings, socketPath: join(temporaryFolder(t), 'agent.sock') };
  symlinkSync('/nowhere', link.socketPath);
  await assertRefused(link, 'listen', /no socket/);
});

test('a folder that is missing, and a path that is too long, are said', async (t) => {
  const settings = testSettings(t);
  await assertRefused(
    { ...settings, socketPath: join(settings.socketPath, 'no', 'agent.sock') },
    'listen',
    /ENOENT/,
  );
  const deep = join(dirname(settings.socketPath), 'd'.repeat(120));
  mkdirSync(deep);
  await assertRefused(
    { ...settings, socketPath: join(deep, 'agent.sock') },
    'listen',
    /too long.*shorter \[agent\] rundir/,
  );
  assert.deepEqual(readdirSync(deep), []);
  assert.deepEqual(readdirSync(dirname(deep)), ['d'.repeat(120)]);
});

test('a socket that was replaced by another one is not removed', async (t) => {
  const settings = testSettings(t);
  const first = await start(settings);
  unlinkSync(settings.socketPath);
  const second = await start(settings);
  await first.close();
  assert.equal((await httpRequest(settings.socketPath, '/me/ns')).status, 200);
  await second.close();
});

test('a port that is taken is said with the address and the way out, and nothing is left behind', async (t) => {
  const { address } = await startTestServer(t);
  const settings = { ...testSettings(t), listen: address };
  await assertRefused(settings, 'listen', new RegExp(address.replaceAll('.', '\\.')), /\[agent\] listen/);
  assert.ok(!existsSync(settings.socketPath));
});

test('an address that the host does not have, and a text that is no address, are said', async (t) => {
  const settings = testSettings(t);
  await assertRefused(
    { ...settings, listen: '192.0.2.254:0' },
    'listen',
    /192\.0\.2\.254/,
    /\[agent\] listen/,
  );
  for (const listen of [
    '1232',
    '127.0.0.1',
    '::1:1232',
    '127.0.0.1:65536',
    '127.0.0.1:x',
    '[localhost]:1',
    '',
  ]) {
    await assertRefused({ ...settings, listen }, 'config', /\[agent\] listen/);
  }
});

test('a token file that is missing, empty or no token is said, without the token', async (t) => {
  const settings = testSettings(t);
  const path = join(temporaryFolder(t), 'token');
  await assertRefused({ ...settings, tokenFile: path }, 'tokenfile', /ENOENT/);
  for (const text of ['', '\n', 'two words', 'two\nlines', 'käse']) {
    writeFileSync(path, text);
    await assert.rejects(start({ ...settings, tokenFile: path }), (thrown) => {
      assert.ok(thrown instanceof CodedError);
      assert.equal(thrown.code, 'tokenfile');
      assert.ok(text.trim() === '' || !thrown.message.includes(text));
      return true;
    });
  }
  assert.ok(!existsSync(settings.socketPath));
});

test('a token file that all may read is warned about', async (t) => {
  const path = join(temporaryFolder(t), 'token');
  writeFileSync(path, 'secret-token');
  chmodSync(path, 0o644);
  const { lines } = await startTestServer(t, { settings: { tokenFile: path } });
  assert.match(lines[0]?.message ?? '', /open to every user/);
  assert.doesNotMatch(JSON.stringify(lines), /secret-token/);
});

test('it listens on IPv6 loopback', async (t) => {
  const { address } = await startTestServer(t, { settings: { listen: '[::1]:0' } });
  assert.match(address, /^\[::1\]:\d+$/);
  assert.equal((await httpRequest(address, '/me/ns')).status, 200);
});

test('slow heads, slow bodies and idle connections are ended, others go on', async (t) => {
  const limits = {
    headersTimeoutMs: 1000,
    requestTimeoutMs: 1500,
    keepAliveTimeoutMs: 1000,
    checkIntervalMs: 50,
  };
  const { address } = await startTestServer(t, { limits });
  const silent = new RawConnection(address);
  const head = new RawConnection(address);
  head.send(`GET /me/ns HTTP/1.1\r\nHost: ${address}\r\nX-Slow: `);
  const body = new RawConnection(address);
  body.send(`POST /post HTTP/1.1\r\nHost: ${address}\r\nContent-Length: 100\r\n\r\n[`);
  const idle = new RawConnection(address);
  idle.send(`GET /me/ns HTTP/1.1\r\nHost: ${address}\r\n\r\n`);
  assert.equal((await httpRequest(address, '/me/ns')).status, 200);
  assert.match(await head.closed(), /^HTTP\/1\.1 408 [\s\S]*"code":"request-timeout"/);
  assert.match(await body.closed(), /^HTTP\/1\.1 408 [\s\S]*"code":"request-timeout"/);
  assert.match(await idle.closed(), /^HTTP\/1\.1 200 /);
  await silent.closed();
  assert.equal((await httpRequest(address, '/me/ns')).status, 200);
});

test('more connections than the bound are closed as they come; the unix socket has its own', async (t) => {
  const { address, server, lines } = await startTestServer(t, { limits: { maxConnections: 5 } });
  const held = Array.from({ length: 5 }, () => new RawConnection(address));
  for (const connection of held) {
    connection.send(`GET /me/ns HTTP/1.1\r\nHost: ${address}\r\n\r\n`);
    await waitUntil('it is served', () => connection.received.includes('"ok":true'));
  }
  const surplus = new RawConnection(address);
  assert.equal(await surplus.closed(), '');
  assert.match(lines[0]?.message ?? '', /turns others away/);
  assert.equal((await httpRequest(server.socketPath, '/me/ns')).status, 200);
  held[0]?.destroy();
  await waitUntil('there is room again', () =>
    httpRequest(address, '/me/ns').then(
      ({ status }) => status === 200,
      () => false,
    ),
  );
  for (const connection of held) connection.destroy();
});

test('what is no HTTP, and heads that are too long, get an answer and hurt nobody', async (t) => {
  const { address, lines } = await startTestServer(t);
  assert.match(await rawExchange(address, 'hello\r\n\r\n'), /^HTTP\/1\.1 400 [\s\S]*"code":"bad-request"/);
  assert.match(await rawExchange(address, Buffer.alloc(1000, 0xff)), /^HTTP\/1\.1 400 /);
  const long = `GET /?${'x'.repeat(20_000)} HTTP/1.1\r\nHost: ${address}\r\n\r\n`;
  assert.match(await rawExchange(address, long), /^HTTP\/1\.1 431 [\s\S]*"code":"headers-too-large"/);
  const smuggled = `POST /post HTTP/1.1\r\nHost: ${address}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
  assert.match(await rawExchange(address, smuggled), /^HTTP\/1\.1 400 /);
  const upgrade = `GET /me/ns HTTP/1.1\r\nHost: ${address}\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n`;
  const upgrading = new RawConnection(address);
  upgrading.send(upgrade);
  await waitUntil('it is answered as any request', () => upgrading.received.startsWith('HTTP/1.1 200 '));
  upgrading.destroy();
  assert.equal((await httpRequest(address, '/me/ns')).status, 200);
  assert.deepEqual(lines, []);
});

test('closing lets a running request end and takes no new ones', async (t) => {
  let finish: (() => void) | undefined;
  const settings = testSettings(t);
  const server = await startHttpServer(
    settings,
    {
      ...notingOperations([]),
      sync: () =>
        new Promise((resolve) => {
          finish = () => resolve({ added: [], changed: [], removed: [], unchanged: 0, problems: [] });
        }),
    },
    recordingLog().log,
  );
  const idle = new RawConnection(server.tcpAddress);
  idle.send(`GET /me/ns HTTP/1.1\r\nHost: ${server.tcpAddress}\r\n\r\n`);
  await waitUntil('the idle connection was served', () => idle.received.includes('"ok":true'));
  const silent = new RawConnection(server.tcpAddress);
  await once(silent.socket, 'connect');
  const running = new RawConnection(server.tcpAddress);
  running.send(`GET /update HTTP/1.1\r\nHost: ${server.tcpAddress}\r\n\r\n`);
  await waitUntil('the call runs', () => finish !== undefined);

  const closed = server.close(60_000);
  await idle.closed();
  await silent.closed();
  await assert.rejects(httpRequest(server.tcpAddress, '/me/ns'));
  finish?.();
  assert.match(await running.closed(), /^HTTP\/1\.1 200 [\s\S]*Connection: close[\s\S]*"ok":true/);
  await closed;
});

test('closing cuts what does not end within the bound', async (t) => {
  let called = false;
  const { address, server } = await startTestServer(t, {
    operations: {
      sync: () => {
        called = true;
        return new Promise(() => {});
      },
    },
  });
  const running = new RawConnection(address);
  running.send(`GET /update HTTP/1.1\r\nHost: ${address}\r\n\r\n`);
  const slow = new RawConnection(address);
  slow.send(`POST /post HTTP/1.1\r\nHost: ${address}\r\nContent-Length: 100\r\n\r\n[`);
  await waitUntil('the call runs', () => called);
  await server.close(50);
  assert.equal(await running.closed(), '');
  assert.equal(await slow.closed(), '');
});

test('a client that leaves in the middle hurts nobody', async (t) => {
  let finish: (() => void) | undefined;
  const { address, lines } = await startTestServer(t, {
    operations: {
      sync: () =>
        new Promise((resolve) => {
          finish = () => resolve({ added: [], changed: [], removed: [], unchanged: 0, problems: [] });
        }),
    },
  });
  const leaving = new RawConnection(address);
  leaving.send(`GET /update HTTP/1.1\r\nHost: ${address}\r\n\r\n`);
  await waitUntil('the call runs', () => finish !== undefined);
  leaving.socket.resetAndDestroy();
  await leaving.closed();
  finish?.();
  assert.equal((await httpRequest(address, '/me/ns')).status, 200);
  assert.deepEqual(lines, []);
});

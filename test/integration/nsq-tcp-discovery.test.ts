import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { numbered, startProducer } from '../support/nsq-producer.js';
import { type Nsqd, nsqdSkipReason, startNsqd } from '../support/nsqd.js';
import { type Nsqlookupd, startNsqlookupd } from '../support/nsqlookupd.js';
import { answerOk, startScriptedNsqd } from '../support/scripted-nsqd.js';
import { waitUntil } from '../support/wait-until.js';

function startListedNsqd(test: TestContext, ...lookupds: readonly Nsqlookupd[]): Promise<Nsqd> {
  return startNsqd(test, {
    arguments: lookupds.map(({ tcpAddress }) => `--lookupd-tcp-address=${tcpAddress}`),
  });
}

/** Waits until an nsqlookupd lists exactly these. */
async function waitUntilListed(lookupd: Nsqlookupd, ...nodes: readonly Nsqd[]): Promise<void> {
  const expected = nodes.map((nsqd) => nsqd.tcpAddress).sort();
  await waitUntil('the nsqlookupd lists the nodes', async () => {
    const response = await fetch(`http://${lookupd.httpAddress}/nodes`);
    const { producers } = (await response.json()) as {
      producers: { broadcast_address: string; tcp_port: number }[];
    };
    const listed = producers.map((node) => `${node.broadcast_address}:${node.tcp_port}`);
    return listed.sort().join() === expected.join();
  });
}

async function arrivedAt(topic: string, ...nodes: readonly Nsqd[]): Promise<string[]> {
  const arrived = await Promise.all(nodes.map((nsqd) => nsqd.messages(topic)));
  return arrived.flat().map((message) => message.toString());
}

describe('with a real nsqlookupd', () => {
  test('the producer publishes to the nsqd that it lists', { skip: nsqdSkipReason }, async (t) => {
    const lookupd = await startNsqlookupd(t);
    const nsqd = await startListedNsqd(t, lookupd);
    await waitUntilListed(lookupd, nsqd);
    for (const address of [lookupd.httpAddress, `http://${lookupd.httpAddress}/`]) {
      const { producer, publish, event } = startProducer(t, { lookupd: [address] });
      await Promise.all(publish('found', numbered(10)));
      assert.equal((await event('server-appeared')).server, nsqd.tcpAddress);
      const { server, servers, lookupds } = producer.status();
      assert.equal(server, nsqd.tcpAddress);
      assert.deepEqual(
        servers.map((health) => [health.server, health.origin, health.state, health.failures]),
        [[nsqd.tcpAddress, 'lookupd', 'connected', 0]],
      );
      assert.deepEqual(
        lookupds.map((health) => [health.lookupd, health.state, health.nodes]),
        [[lookupd.httpAddress, 'answering', 1]],
      );
    }
    assert.equal((await nsqd.messages('found')).length, 20);
  });

  test('an nsqd that appears later gets what has waited for it', { skip: nsqdSkipReason }, async (t) => {
    const lookupd = await startNsqlookupd(t);
    const { producer, publish } = startProducer(t, { lookupd: [lookupd.httpAddress] });
    const sent = publish('later', numbered(100));
    await waitUntil('it was asked in vain', () => producer.status().lookupds[0]?.state === 'answering');
    assert.deepEqual([producer.status().state, producer.status().waiting], ['no-server', 100]);
    const nsqd = await startListedNsqd(t, lookupd);
    await Promise.all(sent);
    assert.deepEqual(await arrivedAt('later', nsqd), numbered(100));
  });

  test('an nsqd that appears later takes over from one that goes', { skip: nsqdSkipReason }, async (t) => {
    const lookupd = await startNsqlookupd(t);
    const first = await startListedNsqd(t, lookupd);
    await waitUntilListed(lookupd, first);
    const { producer, publish, event } = startProducer(t, { lookupd: [lookupd.httpAddress] });
    await Promise.all(publish('over', numbered(50, 'first')));
    const second = await startListedNsqd(t, lookupd);
    await waitUntil('the second is found', () => producer.status().servers.length === 2);
    assert.equal(producer.status().server, first.tcpAddress, 'what works is kept');
    await first.stop();
    await Promise.all(publish('over', numbered(50, 'second')));
    assert.equal(producer.status().server, second.tcpAddress);
    assert.equal((await event('server-vanished')).server, first.tcpAddress);
    await waitUntil('the first is forgotten', () => producer.status().servers.length === 1);
    await first.start();
    assert.deepEqual(
      new Set(await arrivedAt('over', first, second)),
      new Set([...numbered(50, 'first'), ...numbered(50, 'second')]),
    );
  });

  test('two of them are merged', { skip: nsqdSkipReason }, async (t) => {
    const lookupds = [await startNsqlookupd(t), await startNsqlookupd(t)] as const;
    const one = await startListedNsqd(t, lookupds[0]);
    const other = await startListedNsqd(t, lookupds[1]);
    const both = await startListedNsqd(t, ...lookupds);
    const { producer, publish } = startProducer(t, {
      lookupd: lookupds.map((lookupd) => lookupd.httpAddress),
    });
    await waitUntil('all three are found', () => producer.status().servers.length === 3);
    assert.deepEqual(
      producer.status().servers.map((health) => health.server),
      [one, other, both].map((nsqd) => nsqd.tcpAddress).sort(),
    );
    const sent = publish('merged', numbered(100));
    await sent[0];
    await waitUntil('it is connected', () => producer.status().state === 'connected');
    const used = [one, other, both].find((nsqd) => nsqd.tcpAddress === producer.status().server);
    await used?.stop();
    sent.push(...publish('merged', numbered(100, 'after')));
    await Promise.all(sent);
    await used?.start();
    assert.deepEqual(
      new Set(await arrivedAt('merged', one, other, both)),
      new Set([...numbered(100), ...numbered(100, 'after')]),
    );
  });

  test('one that is down is told once, and the other is enough; when it is back that is told too', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const [down, up] = [await startNsqlookupd(t), await startNsqlookupd(t)];
    const nsqd = await startListedNsqd(t, up);
    await down.stop();
    const { producer, publish, event, events } = startProducer(t, {
      lookupd: [down.httpAddress, up.httpAddress],
    });
    await Promise.all(publish('down', numbered(10)));
    const told = await event('lookupd-failed');
    assert.equal(told.server, down.httpAddress);
    assert.match(told.message, /nsqlookupd .* cannot be asked: .*ECONNREFUSED/);
    await waitUntil('it was tried again', () => (producer.status().lookupds[0]?.failures ?? 0) >= 3);
    assert.equal(events.filter((each) => each.kind === 'lookupd-failed').length, 1);
    await down.start();
    assert.equal((await event('lookupd-recovered')).server, down.httpAddress);
    assert.equal(producer.status().lookupds[0]?.failures, 0);
    assert.equal((await nsqd.messages('down')).length, 10);
  });

  test('what it listed is used on when all of them are down, or have just started', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const lookupd = await startNsqlookupd(t);
    const nsqd = await startListedNsqd(t, lookupd);
    const { producer, publish, event } = startProducer(t, { lookupd: [lookupd.httpAddress] });
    await Promise.all(publish('known', ['a']));
    await lookupd.stop();
    await event('lookupd-failed');
    await nsqd.stop();
    const meanwhile = publish('known', ['b']);
    await event('disconnected');
    await nsqd.start();
    await Promise.all(meanwhile);
    await lookupd.start();
    await event('lookupd-recovered');
    await Promise.all(publish('known', ['c']));
    assert.equal(producer.status().servers[0]?.server, nsqd.tcpAddress);
    assert.deepEqual(new Set(await arrivedAt('known', nsqd)), new Set(['a', 'b', 'c']));
  });

  test('servers that are set are used at once and stay', { skip: nsqdSkipReason }, async (t) => {
    const lookupd = await startNsqlookupd(t);
    const set = await startNsqd(t);
    const found = await startListedNsqd(t, lookupd);
    const { producer, publish } = startProducer(t, {
      servers: [set.tcpAddress],
      lookupd: [lookupd.httpAddress],
    });
    await Promise.all(publish('set', ['a']));
    assert.equal(producer.status().server, set.tcpAddress);
    await waitUntil('the other is found', () => producer.status().servers.length === 2);
    await set.stop();
    await Promise.all(publish('set', ['b']));
    assert.equal(producer.status().server, found.tcpAddress);
    const health = producer.status().servers.find((each) => each.server === set.tcpAddress);
    assert.deepEqual([health?.origin, health?.state], ['set', 'failed']);
    assert.ok((health?.failures ?? 0) >= 1);
    assert.ok(health?.lastError?.includes(set.tcpAddress));
    await found.stop();
    await set.start();
    await Promise.all(publish('set', ['c']));
    assert.equal(producer.status().server, set.tcpAddress);
  });
});

/** An HTTP server where an nsqlookupd should be. */
async function startHttp(test: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return addressOf(server.address());
}

function addressOf(bound: ReturnType<ReturnType<typeof createTcpServer>['address']>): string {
  assert.ok(bound !== null && typeof bound === 'object');
  return `127.0.0.1:${bound.port}`;
}

describe('an nsqlookupd that answers badly', () => {
  const wrongPort = /usually 4161/;
  const late = /did not answer within 300 ms/;
  const cases: readonly (readonly [name: string, answer: RequestListener, message: RegExp])[] = [
    ['an error', (_request, response) => void response.writeHead(500).end('x'), /HTTP status 500/],
    [
      'what nsqd says on its HTTP port',
      (_request, response) => void response.writeHead(404).end(),
      wrongPort,
    ],
    [
      'a redirection',
      (_request, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      /HTTP status 302/,
    ],
    ['HTML', (_request, response) => void response.end('<html>\n'), /sent "<html>", which lists no nodes/],
    ['no list', (_request, response) => void response.end('{"producers": 7}'), /lists no nodes/],
    [
      'half an answer',
      (_request, response) => {
        response.writeHead(200, { 'content-length': 1_000 });
        response.write('{"producers": [', () => response.destroy());
      },
      /aborted|ECONNRESET|hang up/,
    ],
    ['nothing', () => {}, late],
    [
      'the beginning and no end',
      (_request, response) => {
        response.write('{"producers": [');
      },
      late,
    ],
    [
      'without end',
      (_request, response) => {
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(1_000_000, ' ')));
        };
        response.on('drain', more);
        more();
      },
      /sent more than 16777216 bytes/,
    ],
  ];
  for (const [name, answer, message] of cases) {
    test(`is told of and does no harm: ${name}`, async (t) => {
      const nsqd = await startScriptedNsqd(t, { onCommand: answerOk });
      const bad = await startHttp(t, answer);
      const { producer, publish, event } = startProducer(t, {
        servers: [nsqd.address],
        lookupd: [bad],
        lookupdTimeoutMs: message === late ? 300 : 20_000,
      });
      await Promise.all(publish('t', ['x']));
      const told = await event('lookupd-failed');
      assert.match(told.message, message);
      assert.ok(told.message.startsWith(`nsqlookupd ${bad} `), told.message);
      await waitUntil('it is asked again', () => (producer.status().lookupds[0]?.failures ?? 0) >= 2);
      assert.match(producer.status().lookupds[0]?.lastError ?? '', message);
      await producer.close();
    });
  }

  test('is named when it is no HTTP server at all, as on port 4160', async (t) => {
    const server = createTcpServer((socket) => socket.end('\0\0\0\x0eE_BAD_PROTOCOL'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { event } = startProducer(t, { lookupd: [addressOf(server.address())] });
    assert.match((await event('lookupd-failed')).message, wrongPort);
  });

  test('may list nodes that are no nsqd: the others are used', async (t) => {
    const good = await startScriptedNsqd(t, { onCommand: answerOk });
    const lookupd = await startHttp(t, (_request, response) => {
      const nodes = [
        { broadcast_address: '127.0.0.1', tcp_port: 1 },
        { broadcast_address: '../etc', tcp_port: 4150 },
        { broadcast_address: '127.0.0.1', tcp_port: good.port },
      ];
      response.end(JSON.stringify({ producers: nodes }));
    });
    const { producer, publish } = startProducer(t, { lookupd: [lookupd] });
    await Promise.all(publish('t', ['x']));
    assert.equal(producer.status().servers.length, 2);
    assert.equal(producer.status().server, good.address);
  });
});

test('is asked for /nodes with the credentials of its URL, which nobody gets to see', async (t) => {
  const asked: (string | undefined)[] = [];
  const address = await startHttp(t, (request, response) => {
    asked.push(request.url, request.headers.authorization);
    response.writeHead(401).end();
  });
  const { producer, event } = startProducer(t, { lookupd: [`http://user:pass-word@${address}/a`] });
  const told = await event('lookupd-failed');
  assert.deepEqual(asked.slice(0, 2), [
    '/a/nodes',
    `Basic ${Buffer.from('user:pass-word').toString('base64')}`,
  ]);
  assert.ok(!JSON.stringify([told, producer.status()]).includes('pass-word'));
});

test('closing ends a question that is under way', async (t) => {
  let asked = 0;
  let gone = 0;
  const lookupd = await startHttp(t, (request) => {
    asked++;
    request.socket.on('close', () => gone++);
  });
  const { producer } = startProducer(t, { lookupd: [lookupd] });
  await waitUntil('it is asked', () => asked === 1);
  await producer.close();
  await waitUntil('the connection is closed', () => gone === 1);
  assert.equal(asked, 1);
});

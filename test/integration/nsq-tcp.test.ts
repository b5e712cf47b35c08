import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { CodedError } from '../../src/shared/coded-error.js';
import type { NsqProducer } from '../../src/shared/nsq-tcp/producer.js';
import { startProducer } from '../support/nsq-producer.js';
import { nsqdSkipReason, startNsqd } from '../support/nsqd.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { waitUntil } from '../support/wait-until.js';

function texts(messages: readonly Buffer[]): string[] {
  return messages.map((message) => message.toString());
}

function numbered(count: number, prefix = 'message'): string[] {
  return Array.from({ length: count }, (_, at) => `${prefix} ${at}`);
}

function publishAll(producer: NsqProducer, topic: string, messages: readonly string[]): Promise<void>[] {
  return messages.map((message) => producer.publish(topic, Buffer.from(message)));
}

/** Stands between a producer and an nsqd, and counts the heartbeats that nsqd sends. */
async function heartbeatCounter(t: TestContext, nsqdAddress: string) {
  const [host, port] = nsqdAddress.split(':');
  let said = '';
  const server = createServer((socket) => {
    const upstream = connect(Number(port), host);
    upstream.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1');
    });
    for (const end of [socket, upstream]) end.on('error', () => {});
    socket.pipe(upstream).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const bound = server.address();
  assert.ok(bound !== null && typeof bound === 'object');
  return { address: `127.0.0.1:${bound.port}`, heartbeats: () => said.split('_heartbeat_').length - 1 };
}

/** Every message arrived; with broken connections some may have arrived twice. */
function assertNoneLost(arrived: readonly Buffer[], sent: readonly string[]): void {
  const got = new Set(texts(arrived));
  assert.deepEqual(
    sent.filter((message) => !got.has(message)),
    [],
  );
  assert.equal(got.size, sent.length, 'nothing else arrived');
}

function hasCode(code: string, pattern: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof CodedError);
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  };
}

describe('the producer and a real nsqd', () => {
  test('a lone message and a batch arrive byte for byte and in order', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const nsqd = await startNsqd(t);
    const { producer, events } = startProducer(t, { servers: [nsqd.tcpAddress] });
    const everyByte = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
    await producer.publish('exact', everyByte);
    await Promise.all(publishAll(producer, 'exact', numbered(5_000)));
    const arrived = await nsqd.messages('exact');
    assert.deepEqual(arrived[0], everyByte);
    assert.deepEqual(texts(arrived.slice(1)), numbered(5_000));
    assert.equal(producer.status().counts.published, 5_001);
    assert.deepEqual(
      events.map((event) => event.kind),
      ['connected'],
    );
  });

  test('nsqd knows the client by the names that were set', { skip: nsqdSkipReason }, async (t) => {
    const nsqd = await startNsqd(t);
    const { producer } = startProducer(t, {
      servers: [nsqd.tcpAddress],
      clientId: 'client-1',
      hostname: 'host-1.example',
      userAgent: 'agent/1.2.3',
    });
    await producer.publish('names', Buffer.from('x'));
    const response = await fetch(`http://${nsqd.httpAddress}/stats?format=json`);
    const stats = (await response.json()) as { producers: Record<string, unknown>[] };
    const [client] = stats.producers;
    assert.equal(client?.client_id, 'client-1');
    assert.equal(client?.hostname, 'host-1.example');
    assert.equal(client?.user_agent, 'agent/1.2.3');
  });

  test('messages in shared memory arrive', { skip: nsqdSkipReason }, async (t) => {
    const nsqd = await startNsqd(t);
    const { producer } = startProducer(t, { servers: [nsqd.tcpAddress] });
    const memory = new SharedArrayBuffer(300_000);
    const whole = Buffer.from(memory);
    whole.fill('shared');
    await Promise.all([
      producer.publish('shared', whole.subarray(0, 6)),
      producer.publish('shared', whole.subarray(6, 18)),
    ]);
    await producer.publish('shared', whole);
    const arrived = await nsqd.messages('shared');
    assert.deepEqual(texts(arrived.slice(0, 2)), ['shared', 'sharedshared']);
    assert.ok(arrived[2]?.equals(whole));
  });

  test('many publishers of many topics at once get all through, each topic in order', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const nsqd = await startNsqd(t);
    const { producer } = startProducer(t, { servers: [nsqd.tcpAddress], maxBatchMessages: 50 });
    const topics = Array.from({ length: 40 }, (_, at) => `many.${at}`);
    await Promise.all(topics.flatMap((topic) => publishAll(producer, topic, numbered(300, topic))));
    const arrived = await Promise.all(topics.map((topic) => nsqd.messages(topic)));
    assert.deepEqual(
      arrived.map(texts),
      topics.map((topic) => numbered(300, topic)),
    );
  });

  test('more than the largest MPUB body is cut into several', { skip: nsqdSkipReason }, async (t) => {
    const nsqd = await startNsqd(t);
    const { producer } = startProducer(t, { servers: [nsqd.tcpAddress] });
    const large = Array.from({ length: 20 }, (_, at) => Buffer.alloc(900_000, at));
    await Promise.all(large.map((message) => producer.publish('large', message)));
    const arrived = await nsqd.messages('large');
    assert.equal(arrived.length, large.length);
    assert.ok(large.every((message, at) => arrived[at]?.equals(message)));
    assert.equal(producer.status().counts.sentAgain, 0);
  });

  test('a restart of nsqd in the middle loses nothing', { skip: nsqdSkipReason }, async (t) => {
    const nsqd = await startNsqd(t);
    const { producer, events } = startProducer(t, { servers: [nsqd.tcpAddress] });
    const before = publishAll(producer, 'restart', numbered(2_000, 'before'));
    await before[0];
    const stopped = nsqd.stop();
    const meanwhile = publishAll(producer, 'restart', numbered(2_000, 'meanwhile'));
    await stopped;
    await waitUntil('the producer notices', () => events.some((event) => event.kind === 'disconnected'));
    const without = publishAll(producer, 'restart', numbered(2_000, 'without'));
    await nsqd.start();
    await Promise.all([...before, ...meanwhile, ...without]);
    assertNoneLost(await nsqd.messages('restart'), [
      ...numbered(2_000, 'before'),
      ...numbered(2_000, 'meanwhile'),
      ...numbered(2_000, 'without'),
    ]);
    assert.deepEqual([producer.status().waiting, producer.status().inFlight], [0, 0]);
  });

  test('kill -9 of nsqd and a new start lose nothing that was acknowledged or waits', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const nsqd = await startNsqd(t, { durable: true });
    const { producer } = startProducer(t, { servers: [nsqd.tcpAddress], maxBatchMessages: 20 });
    const sent = numbered(400);
    const promises = publishAll(producer, 'killed', sent);
    await promises[100];
    await nsqd.kill();
    await nsqd.start();
    await Promise.all(promises);
    assertNoneLost(await nsqd.messages('killed'), sent);
  });

  test('when one of two nsqd goes, the other takes everything unanswered, and all that follows', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const pair = [await startNsqd(t, { durable: true }), await startNsqd(t, { durable: true })];
    const { producer, events } = startProducer(t, {
      servers: pair.map((nsqd) => nsqd.tcpAddress),
      maxBatchMessages: 20,
    });
    const first = publishAll(producer, 'failover', numbered(300, 'first'));
    await first[100];
    const used = pair.find((nsqd) => nsqd.tcpAddress === producer.status().server);
    const other = pair.find((nsqd) => nsqd !== used);
    assert.ok(used && other);
    await used.kill();
    const second = publishAll(producer, 'failover', numbered(300, 'second'));
    await Promise.all([...first, ...second]);
    assert.equal(producer.status().server, other.tcpAddress);
    assert.ok(events.some((event) => event.kind === 'disconnected' && event.server === used.tcpAddress));
    await used.start();
    assertNoneLost(
      [...(await used.messages('failover')), ...(await other.messages('failover'))],
      [...numbered(300, 'first'), ...numbered(300, 'second')],
    );
  });

  test('an nsqd that hangs is left for the other after the response time-out', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const pair = [await startNsqd(t), await startNsqd(t)];
    const { producer, events } = startProducer(t, {
      servers: pair.map((nsqd) => nsqd.tcpAddress),
      responseTimeoutMs: 300,
    });
    // Of another topic: on a busy machine it may be the second one that answers in time.
    await producer.publish('first', Buffer.from('first'));
    const used = pair.find((nsqd) => nsqd.tcpAddress === producer.status().server);
    const other = pair.find((nsqd) => nsqd !== used);
    assert.ok(used && other);
    await used.pause();
    await Promise.all(publishAll(producer, 'hang', numbered(100)));
    assert.equal(producer.status().server, other.tcpAddress);
    assert.match(
      events.find((event) => event.kind === 'disconnected')?.message ?? '',
      /did not answer within 300 ms/,
    );
    used.resume();
    assertNoneLost(await other.messages('hang'), numbered(100));
  });

  test('nsqd may come up after the producer', { skip: nsqdSkipReason }, async (t) => {
    const nsqd = await startNsqd(t);
    await nsqd.stop();
    const { producer, events } = startProducer(t, { servers: [nsqd.tcpAddress] });
    const sent = publishAll(producer, 'late', numbered(10));
    await waitUntil('a try failed', () => events.some((event) => event.kind === 'unreachable'));
    assert.match(producer.status().lastError ?? '', /ECONNREFUSED/);
    await nsqd.start();
    await Promise.all(sent);
    assertNoneLost(await nsqd.messages('late'), numbered(10));
  });

  test('a message beyond --max-msg-size is refused and its neighbours arrive', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const nsqd = await startNsqd(t, { arguments: ['--max-msg-size=1000'] });
    const { producer, events } = startProducer(t, { servers: [nsqd.tcpAddress] });
    const refusal = hasCode('nsq-bad-message', /topic sizes: E_BAD_MESSAGE .*--max-msg-size/);
    const sent = numbered(99);
    const good = [
      ...publishAll(producer, 'sizes', sent.slice(0, 40)),
      ...publishAll(producer, 'neighbour', numbered(10)),
    ];
    const tooLarge = producer.publish('sizes', Buffer.alloc(1_001));
    good.push(...publishAll(producer, 'sizes', sent.slice(40)));
    await Promise.all([assert.rejects(tooLarge, refusal), ...good]);
    assertNoneLost(await nsqd.messages('sizes'), sent);
    assertNoneLost(await nsqd.messages('neighbour'), numbered(10));
    assert.equal(producer.status().counts.refused, 1);
    assert.equal(events.filter((event) => event.kind === 'refused').length, 1);
  });

  test('a lone message of megabytes beyond the limit is refused, however much follows it', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const nsqd = await startNsqd(t);
    const { producer } = startProducer(t, { servers: [nsqd.tcpAddress] });
    const tooLarge = producer.publish('huge', Buffer.alloc(8_000_000));
    const good = [
      ...publishAll(producer, 'huge', numbered(100)),
      ...publishAll(producer, 'beside', numbered(100)),
      producer.publish('beside', Buffer.from('at the limit'.padEnd(1_048_576))),
    ];
    await Promise.all([assert.rejects(tooLarge, hasCode('nsq-bad-message', /8000000/)), ...good]);
    assertNoneLost(await nsqd.messages('huge'), numbered(100));
    assert.equal((await nsqd.messages('beside')).length, 101);
  });

  test('an nsqd with a small --max-body-size gets smaller batches and every message', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const nsqd = await startNsqd(t, { arguments: ['--max-body-size=3000', '--max-msg-size=1000'] });
    const { producer } = startProducer(t, { servers: [nsqd.tcpAddress] });
    await Promise.all(publishAll(producer, 'bodies', numbered(1_000)));
    assertNoneLost(await nsqd.messages('bodies'), numbered(1_000));
    assert.equal(producer.status().counts.refused, 0);
  });

  test('bad topic names are refused on the spot, with no connection lost', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const nsqd = await startNsqd(t);
    const { producer } = startProducer(t, { servers: [nsqd.tcpAddress] });
    const good = producer.publish('good', Buffer.from('x'));
    for (const topic of ['', 'with space', 'line\nbreak', 'x'.repeat(65), 'slash/ed']) {
      await assert.rejects(producer.publish(topic, Buffer.from('x')), hasCode('nsq-bad-topic', /topic name/));
    }
    await good;
    assert.equal(producer.status().counts.connections, 1);
  });

  test('the HTTP port of nsqd is named with the way out, and the other server is used', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const nsqd = await startNsqd(t);
    const wrong = startProducer(t, { servers: [nsqd.httpAddress] });
    const waiting = wrong.producer.publish('port', Buffer.from('x'));
    waiting.catch(() => {});
    const event = await waitUntil('the port is named', () =>
      wrong.events.find((each) => each.kind === 'http-port'),
    );
    assert.equal(event.server, nsqd.httpAddress);
    assert.ok(event.message.includes(nsqd.httpAddress));
    assert.match(event.message, /TCP port, usually 4150/);
    assert.equal(wrong.producer.status().waiting, 1, 'the producer lives and goes on trying');

    const both = startProducer(t, { servers: [nsqd.httpAddress, nsqd.tcpAddress] });
    await Promise.all(publishAll(both.producer, 'port', numbered(10)));
    assertNoneLost(await nsqd.messages('port'), numbered(10));
  });

  test('heartbeats keep an idle connection', { skip: nsqdSkipReason }, async (t) => {
    const nsqd = await startNsqd(t);
    const link = await heartbeatCounter(t, nsqd.tcpAddress);
    const { producer } = startProducer(t, { servers: [link.address], heartbeatMs: 2_000 });
    await producer.publish('idle', Buffer.from('x'));
    // nsqd drops a client that leaves two of them unanswered.
    await waitUntil('three heartbeats came', () => link.heartbeats() >= 3);
    await producer.publish('idle', Buffer.from('y'));
    assert.equal(producer.status().counts.connections, 1);
  });

  test('drain resolves when all is acknowledged, and at once when there is nothing', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const nsqd = await startNsqd(t);
    const { producer } = startProducer(t, { servers: [nsqd.tcpAddress] });
    await producer.drain();
    const sent = publishAll(producer, 'drain', numbered(1_000));
    await producer.drain();
    assert.equal(producer.status().counts.published, 1_000);
    await Promise.all(sent);
  });

  test('after close no socket is open, and what comes later is refused', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const nsqd = await startNsqd(t);
    const before = openSockets();
    for (let round = 0; round < 20; round++) {
      const { producer } = startProducer(t, { servers: [nsqd.tcpAddress] });
      await producer.publish('close', Buffer.from('x'));
      await Promise.all([producer.close(), producer.close()]);
      assert.equal(producer.status().state, 'closed');
      await assert.rejects(producer.publish('close', Buffer.from('y')), hasCode('nsq-closed', /closed/));
      await producer.drain();
    }
    // Sockets of other parts of this process may come and go meanwhile.
    assert.ok(openSockets() < before + 10);
  });

  test('after close the process ends by itself, connected or backing off', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const nsqd = await startNsqd(t);
    const module = join(PROJECT_ROOT, 'dist/src/shared/nsq-tcp/producer.js');
    const script = `
      import { NsqProducer } from ${JSON.stringify(module)};
      const connected = new NsqProducer({ servers: [${JSON.stringify(nsqd.tcpAddress)}] });
      await connected.publish('exit', Buffer.from('x'));
      const failed = new Promise((resolve) => { globalThis.failed = resolve; });
      const failing = new NsqProducer({
        servers: ['127.0.0.1:1'], backOffBaseMs: 1e9, backOffCapMs: 1e9, onEvent: () => globalThis.failed(),
      });
      await failed;
      await Promise.all([connected.close(), failing.close()]);
      console.log('closed');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    const [code] = await once(child, 'close');
    assert.deepEqual([code, output], [0, 'closed\n']);
  });
});

function openSockets(): number {
  return readdirSync('/proc/self/fd').filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith('socket:');
    } catch {
      // The descriptor of this very listing.
      return false;
    }
  }).length;
}

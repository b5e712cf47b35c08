import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CodedError } from '../../src/shared/coded-error.js';
import { NsqProducer } from '../../src/shared/nsq-tcp/producer.js';
import { startProducer } from '../support/nsq-producer.js';
import {
  answerOk,
  HEARTBEAT_FRAME,
  nsqFrame,
  OK_FRAME,
  type SeenCommand,
  startScriptedNsqd,
} from '../support/scripted-nsqd.js';
import { waitUntil } from '../support/wait-until.js';

function publish(producer: NsqProducer, topic: string, ...messages: string[]): Promise<void>[] {
  return messages.map((message) => producer.publish(topic, Buffer.from(message)));
}

function isPublish(command: SeenCommand): boolean {
  return command.name === 'PUB' || command.name === 'MPUB';
}

function messagesOf(seen: readonly SeenCommand[], connection?: number): string[] {
  return seen
    .filter(
      (command) => isPublish(command) && (connection === undefined || command.connection === connection),
    )
    .flatMap((command) => command.messages);
}

function codeOfRejection(promise: Promise<void>): Promise<string> {
  return promise.then(
    () => 'resolved',
    (error: unknown) => (error instanceof CodedError ? error.code : String(error)),
  );
}

describe('group commit', () => {
  test('publishes of one turn go as one MPUB, a lone one as PUB', async (t) => {
    const nsqd = await startScriptedNsqd(t, { onCommand: answerOk });
    const { producer } = startProducer(t, { servers: [nsqd.address] });
    await Promise.all(publish(producer, 't', 'first'));
    await Promise.all(publish(producer, 't', 'a', 'b', 'c'));
    assert.deepEqual(
      nsqd.seen.map(({ name, topic, messages }) => [name, topic, messages]),
      [
        ['PUB', 't', ['first']],
        ['MPUB', 't', ['a', 'b', 'c']],
      ],
    );
  });

  test('while an answer is outstanding messages gather for the next command', async (t) => {
    const held: Socket[] = [];
    const nsqd = await startScriptedNsqd(t, { onCommand: (_command, socket) => void held.push(socket) });
    const { producer } = startProducer(t, { servers: [nsqd.address] });
    const sent = publish(producer, 't', 'first');
    await waitUntil('the first command is there', () => held.length === 1);
    for (const message of ['a', 'b', 'c']) {
      sent.push(...publish(producer, 't', message));
      await nextTurn();
    }
    sent.push(...publish(producer, 'other', 'x'));
    await waitUntil('the other topic is not held up', () => held.length === 2);
    assert.deepEqual(messagesOf(nsqd.seen), ['first', 'x']);
    assert.deepEqual([producer.status().inFlight, producer.status().waiting], [2, 3]);
    held[0]?.write(OK_FRAME);
    await waitUntil('the gathered ones come', () => held.length === 3);
    assert.deepEqual(nsqd.seen.at(-1)?.messages, ['a', 'b', 'c']);
    held[0]?.write(Buffer.concat([OK_FRAME, OK_FRAME]));
    await Promise.all(sent);
  });

  test('never more commands are on the way than allowed', async (t) => {
    let onTheWay = 0;
    let most = 0;
    const nsqd = await startScriptedNsqd(t, {
      onCommand: (_command, socket) => {
        most = Math.max(most, ++onTheWay);
        setImmediate(() => {
          onTheWay--;
          socket.write(OK_FRAME);
        });
      },
    });
    const { producer } = startProducer(t, { servers: [nsqd.address], maxInFlight: 3, maxBatchMessages: 2 });
    const topics = ['a', 'b', 'c', 'd', 'e', 'f'];
    await Promise.all(topics.flatMap((topic) => publish(producer, topic, '1', '2', '3', '4', '5')));
    assert.ok(most <= 3, `${most} commands at once`);
    assert.equal(messagesOf(nsqd.seen).length, 30);
  });
});

describe('what is not settled is bounded', () => {
  test('on the way, in messages and in bytes', async (t) => {
    for (const bounds of [
      { maxInFlightMessages: 4, maxBatchMessages: 2 },
      { maxInFlightBytes: 60, maxBatchBytes: 30 },
    ]) {
      let onTheWay = 0;
      let most = 0;
      const nsqd = await startScriptedNsqd(t, {
        onCommand: (command, socket) => {
          onTheWay += command.messages.length;
          most = Math.max(most, onTheWay);
          setImmediate(() => {
            onTheWay -= command.messages.length;
            socket.write(OK_FRAME);
          });
        },
      });
      const { producer } = startProducer(t, { servers: [nsqd.address], ...bounds });
      const topics = ['a', 'b', 'c', 'd', 'e', 'f'];
      await Promise.all(
        topics.flatMap((topic) => publish(producer, topic, '12345678', '23456789', '34567890')),
      );
      assert.ok(most <= 4, `${most} messages at once`);
      assert.equal(messagesOf(nsqd.seen).length, 18);
      const { inFlight, inFlightBytes, waiting, waitingBytes } = producer.status();
      assert.deepEqual([inFlight, inFlightBytes, waiting, waitingBytes], [0, 0, 0, 0]);
    }
  });

  test('a message larger than the bound in bytes goes alone', async (t) => {
    const nsqd = await startScriptedNsqd(t, { onCommand: answerOk });
    const { producer } = startProducer(t, {
      servers: [nsqd.address],
      maxInFlightBytes: 10,
      maxUnsettledBytes: 10,
    });
    await Promise.all(publish(producer, 't', 'x'.repeat(1_000)));
    assert.equal(messagesOf(nsqd.seen).length, 1);
  });

  test('in all, so that more is refused until an answer makes room', async (t) => {
    for (const bounds of [{ maxUnsettledMessages: 3 }, { maxUnsettledBytes: 60 }]) {
      const held: Socket[] = [];
      const nsqd = await startScriptedNsqd(t, { onCommand: (_command, socket) => void held.push(socket) });
      const { producer } = startProducer(t, { servers: [nsqd.address], ...bounds });
      const taken = publish(producer, 't', '0123456789', '0123456789', '0123456789');
      const outcome = publish(producer, 't', '0123456789'.repeat(2)).map(codeOfRejection);
      assert.deepEqual(await Promise.all(outcome), ['nsq-full']);
      await waitUntil('the others are on the way', () => held.length === 1);
      held[0]?.write(OK_FRAME);
      await Promise.all(taken);
      const again = publish(producer, 't', '0123456789');
      await waitUntil('it is on the way', () => held.length === 2);
      held[1]?.write(OK_FRAME);
      await Promise.all(again);
    }
  });
});

describe('the table of servers', () => {
  test('tells which one is used, which one failed, how often, why and since when', async (t) => {
    const begun = Date.now();
    const bad = await startScriptedNsqd(t, {
      onCommand: (_command, socket) => socket.end(nsqFrame(1, 'E_PUB_FAILED PUB failed exiting')),
    });
    const good = await startScriptedNsqd(t, { onCommand: answerOk });
    for (;;) {
      const { producer } = startProducer(t, {
        servers: [bad.address, good.address],
        backOffBaseMs: 1e9,
        backOffCapMs: 1e9,
      });
      await Promise.all(publish(producer, 't', 'x'));
      const table = new Map(producer.status().servers.map((health) => [health.server, health]));
      const used = table.get(good.address);
      assert.deepEqual([used?.state, used?.failures, used?.lastError], ['connected', 0, undefined]);
      const other = table.get(bad.address);
      for (const health of [used, other]) {
        assert.ok(health !== undefined && health.since >= begun && health.since <= Date.now());
        assert.equal(health.origin, 'set');
      }
      await producer.close();
      // The first server is a matter of chance.
      if (other?.state === 'idle') continue;
      assert.deepEqual([other?.state, other?.failures], ['failed', 1]);
      assert.match(other?.lastError ?? '', /E_PUB_FAILED/);
      break;
    }
  });
});

describe('answers', () => {
  test('are understood byte by byte', async (t) => {
    const nsqd = await startScriptedNsqd(t, {
      onCommand: async (command, socket) => {
        if (!isPublish(command)) return;
        for (const byte of Buffer.concat([HEARTBEAT_FRAME, OK_FRAME])) {
          socket.write(Buffer.from([byte]));
          await nextTurn();
        }
      },
    });
    const { producer } = startProducer(t, { servers: [nsqd.address] });
    for (const message of ['a', 'b', 'c']) await Promise.all(publish(producer, 't', message));
    assert.equal(producer.status().counts.published, 3);
    assert.equal(nsqd.connections, 1);
  });

  test('are told from heartbeats, each of which is answered', async (t) => {
    const nsqd = await startScriptedNsqd(t, {
      onCommand: (command, socket) => {
        if (isPublish(command))
          socket.write(Buffer.concat([HEARTBEAT_FRAME, HEARTBEAT_FRAME, HEARTBEAT_FRAME]));
        else if (nsqd.seen.length === 4) socket.write(OK_FRAME);
      },
    });
    const { producer } = startProducer(t, { servers: [nsqd.address] });
    await Promise.all(publish(producer, 't', 'x'));
    assert.deepEqual(
      nsqd.seen.map((command) => command.name),
      ['PUB', 'NOP', 'NOP', 'NOP'],
    );
  });
});

describe('a server that fails', () => {
  test('by closing after half of the answers: only the other half goes again, in order', async (t) => {
    const nsqd = await startScriptedNsqd(t, {
      onCommand: (command, socket) => {
        if (command.connection > 0) answerOk(command, socket);
        else if (nsqd.seen.length === 4) socket.end(Buffer.concat([OK_FRAME, OK_FRAME]));
      },
    });
    const { producer, kinds } = startProducer(t, { servers: [nsqd.address], maxBatchMessages: 2 });
    await Promise.all(publish(producer, 't', '1', '2', '3', '4', '5', '6', '7', '8'));
    assert.deepEqual(messagesOf(nsqd.seen, 1), ['5', '6', '7', '8']);
    assert.deepEqual(kinds(), ['connected', 'disconnected', 'connected']);
    assert.equal(producer.status().counts.sentAgain, 4);
  });

  test('by resetting the connection in the middle of a frame', async (t) => {
    const nsqd = await startScriptedNsqd(t, {
      onCommand: (command, socket) => {
        if (command.connection > 0) answerOk(command, socket);
        else socket.write(OK_FRAME.subarray(0, 9), () => socket.resetAndDestroy());
      },
    });
    const { producer } = startProducer(t, { servers: [nsqd.address] });
    await Promise.all(publish(producer, 't', 'x'));
    assert.deepEqual(messagesOf(nsqd.seen), ['x', 'x']);
  });

  test('by taking and never answering: the other server gets everything', async (t) => {
    const silent = await startScriptedNsqd(t, {});
    const good = await startScriptedNsqd(t, { onCommand: answerOk });
    for (let round = 0; round < 8; round++) {
      const { producer } = startProducer(t, {
        servers: [silent.address, good.address],
        responseTimeoutMs: 50,
      });
      await Promise.all(publish(producer, 't', 'a', 'b'));
      assert.equal(producer.status().server, good.address);
    }
  });

  test('by accepting and never shaking hands: named with the time-out', async (t) => {
    const mute = await startScriptedNsqd(t, { onConnection: () => false });
    const { producer, events } = startProducer(t, { servers: [mute.address], connectTimeoutMs: 50 });
    publish(producer, 't', 'x')[0]?.catch(() => {});
    const event = await waitUntil('the time-out is told', () => events[0]);
    assert.deepEqual([event.kind, event.server], ['unreachable', mute.address]);
    assert.match(event.message, /was not ready within 50 ms/);
    await waitUntil('it is tried again', () => mute.connections > 1);
    await producer.close();
    await waitUntil('no connection is left', () => mute.openConnections === 0);
  });

  test('by sending garbage, oversized or unknown frames: named, left, and tried again later', async (t) => {
    const garbage: readonly (readonly [bytes: Buffer, kind: string, message: RegExp])[] = [
      [Buffer.from('SSH-2.0-OpenSSH_9\r\n'), 'not-nsqd', /is this the TCP port of an nsqd/],
      [Buffer.from([0x7f, 0xff, 0xff, 0xff]), 'not-nsqd', /frame of 2147483647 bytes/],
      [Buffer.from([0, 0, 0, 8, 0, 0, 0, 9]), 'not-nsqd', /unknown type 9/],
      [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'http-port', /4150/],
      [Buffer.concat([Buffer.from([0, 0, 0, 14]), Buffer.from('E_BAD_PROTOCOL')]), 'not-nsqd', /nsqlookupd/],
      [nsqFrame(0, 'no JSON\n'), 'not-nsqd', /sent "no JSON" in the handshake/],
      [nsqFrame(2, 'a message'), 'not-nsqd', /sent a message to a producer/],
      [nsqFrame(1, 'E_INVALID something'), 'server-error', /E_INVALID something/],
      [nsqFrame(0, '{"auth_required":true}'), 'auth', /no auth secret/],
    ];
    for (const [bytes, kind, message] of garbage) {
      const bad = await startScriptedNsqd(t, {
        onConnection: (socket) => {
          socket.write(bytes);
          return false;
        },
      });
      const { producer, events } = startProducer(t, { servers: [bad.address] });
      const event = await waitUntil(`${kind} is told`, () => events[0]);
      assert.equal(event.kind, kind);
      assert.match(event.message, message);
      assert.ok(event.message.includes(bad.address));
      await waitUntil('it is tried again', () => bad.connections > 1);
      await producer.close();
    }
  });

  test('by answers that no command asked for', async (t) => {
    for (const answer of [OK_FRAME, nsqFrame(0, 'CLOSE_WAIT')]) {
      const nsqd = await startScriptedNsqd(t, {
        onCommand: (command, socket) => {
          answerOk(command, socket);
          if (command.connection === 0) socket.write(answer);
        },
      });
      const { producer, events } = startProducer(t, { servers: [nsqd.address] });
      await Promise.all(publish(producer, 't', 'a'));
      const event = await waitUntil('the odd answer is told', () =>
        events.find((each) => each.kind === 'not-nsqd'),
      );
      assert.match(event.message, /which nothing asked for/);
      await Promise.all(publish(producer, 't', 'b'));
      assert.deepEqual(messagesOf(nsqd.seen, 1), ['b']);
    }
  });

  test('by an answer other than OK: the message goes again', async (t) => {
    const nsqd = await startScriptedNsqd(t, {
      onCommand: (command, socket) => {
        if (command.connection > 0) answerOk(command, socket);
        else socket.write(nsqFrame(0, 'CLOSE_WAIT'));
      },
    });
    const { producer } = startProducer(t, { servers: [nsqd.address] });
    await Promise.all(publish(producer, 't', 'a'));
    assert.deepEqual(messagesOf(nsqd.seen), ['a', 'a']);
  });

  test('by a name that does not resolve: the other server is used', async (t) => {
    const good = await startScriptedNsqd(t, { onCommand: answerOk });
    const { producer, events } = startProducer(t, { servers: ['no-such-host.invalid:4150'] });
    const event = await waitUntil('the name is told', () => events[0]);
    assert.equal(event.kind, 'unreachable');
    assert.match(event.message, /no-such-host\.invalid/);
    await producer.close();
    const both = startProducer(t, { servers: ['no-such-host.invalid:4150', good.address] });
    await Promise.all(publish(both.producer, 't', 'x'));
  });

  test('by falling over one message: the others get through one by one', async (t) => {
    const nsqd = await startScriptedNsqd(t, {
      onCommand: (command, socket) => {
        if (command.messages.includes('poison')) socket.resetAndDestroy();
        else answerOk(command, socket);
      },
    });
    const { producer } = startProducer(t, { servers: [nsqd.address] });
    const poison = publish(producer, 'poisoned', 'poison')[0];
    const good = ['a', 'b', 'c', 'd'].flatMap((topic) => publish(producer, topic, '1', '2'));
    await Promise.all(good);
    await producer.close();
    assert.equal(poison && (await codeOfRejection(poison)), 'nsq-closed');
  });
});

describe('errors in answer to a command', () => {
  for (const [error, code] of [
    ['E_BAD_TOPIC topic is not valid', 'nsq-bad-topic'],
    ['E_UNAUTHORIZED AUTH failed for PUB on "bad" ""', 'nsq-unauthorized'],
  ] as const) {
    test(`${error.split(' ')[0]} refuses its messages alone; all others on the connection go again`, async (t) => {
      const nsqd = await startScriptedNsqd(t, {
        onCommand: (command, socket) => {
          if (command.topic === 'bad') socket.end(nsqFrame(1, error));
          else if (command.topic === 'before' || command.connection > 0) answerOk(command, socket);
        },
      });
      const { producer, events } = startProducer(t, { servers: [nsqd.address] });
      const before = publish(producer, 'before', 'a', 'b');
      const refused = publish(producer, 'bad', 'x', 'y').map(codeOfRejection);
      const after = publish(producer, 'after', 'c', 'd');
      await Promise.all([...before, ...after]);
      assert.deepEqual(await Promise.all(refused), [code, code]);
      assert.equal(messagesOf(nsqd.seen).filter((message) => message === 'x').length, 1);
      const event = events.find((each) => each.kind === 'refused');
      assert.ok(event?.message.includes(error) && event.message.includes(nsqd.address), event?.message);
      assert.deepEqual([producer.status().counts.refused, producer.status().counts.failures], [2, 0]);
    });
  }

  test('E_BAD_MESSAGE of a batch finds the one message and refuses it alone', async (t) => {
    const nsqd = await startScriptedNsqd(t, {
      onCommand: (command, socket) => {
        if (command.messages.includes('bad')) socket.end(nsqFrame(1, 'E_BAD_MESSAGE MPUB invalid message'));
        else answerOk(command, socket);
      },
    });
    const { producer } = startProducer(t, { servers: [nsqd.address] });
    const names = Array.from({ length: 50 }, (_, at) => (at === 31 ? 'bad' : `m${at}`));
    const outcomes = await Promise.all(publish(producer, 't', ...names).map(codeOfRejection));
    assert.deepEqual(
      outcomes,
      names.map((name) => (name === 'bad' ? 'nsq-bad-message' : 'resolved')),
    );
    assert.equal(producer.status().counts.failures, 0);
  });

  for (const error of [
    'E_MPUB_FAILED MPUB failed exiting',
    'E_PUB_FAILED PUB failed exiting',
    'E_INVALID cannot PUB in current state (TLS required)',
    'E_AUTH_FAILED AUTH failed',
    'E_AUTH_FIRST AUTH required before PUB',
    'E_AUTH_ERROR AUTH error down',
    'E_OF_A_LATER_NSQD whatever',
    'E_BAD_MESSAGE PUB failed to read message body',
  ]) {
    test(`${error.slice(0, 45)} is no fault of the message: it goes again, and the error is told`, async (t) => {
      const nsqd = await startScriptedNsqd(t, {
        onCommand: (command, socket) => {
          if (command.connection > 0) answerOk(command, socket);
          else socket.end(nsqFrame(1, error));
        },
      });
      const { producer, events } = startProducer(t, { servers: [nsqd.address] });
      await Promise.all(publish(producer, 't', 'a', 'b'));
      assert.deepEqual(messagesOf(nsqd.seen), ['a', 'b', 'a', 'b']);
      assert.ok(events.some((event) => event.kind === 'server-error' && event.message.includes(error)));
    });
  }

  test('control characters of the server do not reach the log', async (t) => {
    const nsqd = await startScriptedNsqd(t, {
      onCommand: (_command, socket) => socket.end(nsqFrame(1, 'E_BAD_TOPIC \u001b[31mred\nline')),
    });
    const { producer, events } = startProducer(t, { servers: [nsqd.address] });
    assert.deepEqual(await Promise.all(publish(producer, 't', 'x').map(codeOfRejection)), ['nsq-bad-topic']);
    assert.ok(events.every((event) => !/\p{Cc}/u.test(event.message)));
  });
});

describe('told by calls', () => {
  test('who submits is told of each message once, and never before the call is over', async (t) => {
    const nsqd = await startScriptedNsqd(t, { onCommand: answerOk });
    const { producer } = startProducer(t, { servers: [nsqd.address] });
    const told: string[] = [];
    const submit = (topic: string, message: string) => {
      const toldBefore = told.length;
      producer.submit(topic, Buffer.from(message), {
        resolve: () => told.push(message),
        reject: (error) => told.push(`${message}: ${error instanceof CodedError ? error.code : error}`),
      });
      assert.equal(told.length, toldBefore);
    };
    submit('t', 'good');
    submit('no topic', 'bad');
    submit('t', 'good, too');
    await producer.drain();
    await producer.close();
    submit('t', 'late');
    await waitUntil('all is told', () => told.length === 4);
    assert.deepEqual(told, ['bad: nsq-bad-topic', 'good', 'good, too', 'late: nsq-closed']);
  });

  test('the producer may be closed and published to from inside of a call', async (t) => {
    const nsqd = await startScriptedNsqd(t, { onCommand: answerOk });
    const { producer } = startProducer(t, { servers: [nsqd.address] });
    let closing: Promise<void> | undefined;
    const second = new Promise<string>((resolve) => {
      producer.submit('t', Buffer.from('first'), {
        resolve: () => {
          resolve(codeOfRejection(producer.publish('t', Buffer.from('second'))));
          closing = producer.close();
        },
        reject: () => resolve('the first was refused'),
      });
    });
    assert.equal(await second, 'nsq-closed');
    await closing;
    assert.deepEqual(messagesOf(nsqd.seen), ['first']);
  });
});

test('a burst of answers that is larger than what is read at once is taken whole', async (t) => {
  const heartbeats = 2_000;
  const burst = Buffer.concat([...Array.from({ length: heartbeats }, () => HEARTBEAT_FRAME), OK_FRAME]);
  const nsqd = await startScriptedNsqd(t, {
    onCommand: (command, socket) => {
      if (isPublish(command)) socket.write(burst);
    },
  });
  const { producer } = startProducer(t, { servers: [nsqd.address] });
  await producer.publish('t', Buffer.from('x'));
  await waitUntil('every heartbeat is answered', () => nsqd.seen.length === 1 + heartbeats);
  assert.equal(nsqd.connections, 1);
});

describe('closing', () => {
  test('rejects what is on the way and what waits, and closes the connection', async (t) => {
    const nsqd = await startScriptedNsqd(t, {});
    const { producer } = startProducer(t, { servers: [nsqd.address] });
    const first = publish(producer, 't', 'on the way');
    await waitUntil('it is on the way', () => nsqd.seen.length === 1);
    const outcomes = [...first, ...publish(producer, 't', 'waits', 'waits too')].map(codeOfRejection);
    const drained = producer.drain();
    await producer.close();
    assert.deepEqual(await Promise.all(outcomes), ['nsq-closed', 'nsq-closed', 'nsq-closed']);
    await drained;
    await waitUntil('the server sees it', () => nsqd.openConnections === 0);
    const { state, inFlight, waiting } = producer.status();
    assert.deepEqual([state, inFlight, waiting], ['closed', 0, 0]);
  });

  test('may happen inside an event', async (t) => {
    const nsqd = await startScriptedNsqd(t, { onCommand: (_command, socket) => socket.destroy() });
    let closing: Promise<void> | undefined;
    const producer = new NsqProducer({
      servers: [nsqd.address],
      onEvent: (event) => {
        if (event.kind === 'disconnected') closing = producer.close();
      },
    });
    const outcomes = publish(producer, 't', 'x').map(codeOfRejection);
    assert.deepEqual(await Promise.all(outcomes), ['nsq-closed']);
    assert.ok(closing);
    await closing;
    assert.equal(nsqd.connections, 1);
  });
});

test('an IPv6 address in brackets is reached', async (t) => {
  const server = createServer((socket) => socket.end());
  t.after(() => server.close());
  server.listen(0, '::1');
  const outcome = await Promise.race([
    once(server, 'listening').then(() => 'listening'),
    once(server, 'error').then(() => 'no IPv6'),
  ]);
  if (outcome === 'no IPv6') return t.skip('this machine has no IPv6 loopback');
  const bound = server.address();
  assert.ok(bound !== null && typeof bound === 'object');
  const connected = once(server, 'connection');
  startProducer(t, { servers: [`[::1]:${bound.port}`] });
  await connected;
});

test('what is handed over again while a producer is being closed is refused, too', async (t) => {
  const { producer } = startProducer(t, { servers: ['127.0.0.1:1'] });
  const refused: unknown[] = [];
  const refusals = new Promise<void>((resolve) => {
    const submit = (message: string, onRefused: () => void) =>
      producer.submit('t', Buffer.from(message), {
        resolve: () => assert.fail('nobody takes it'),
        reject: (error) => {
          refused.push(error instanceof CodedError && error.code);
          onRefused();
        },
      });
    submit('first', () => submit('again', resolve));
  });
  await producer.close();
  assert.equal(producer.status().waiting, 0);
  await refusals;
  assert.deepEqual(refused, ['nsq-closed', 'nsq-closed']);
  await producer.drain();
});

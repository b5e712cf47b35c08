import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf } from '../../src/shared/coded-error.js';
import { numbered, startProducer } from '../support/nsq-producer.js';
import { nsqdSkipReason, startNsqd } from '../support/nsqd.js';
import { answerOk, nsqFrame, startScriptedNsqd } from '../support/scripted-nsqd.js';
import { waitUntil } from '../support/wait-until.js';

const HOUR_MS = 3_600_000;

test('a message with a delay is held back by nsqd while those without one go through', {
  skip: nsqdSkipReason,
}, async (t) => {
  const nsqd = await startNsqd(t);
  await nsqd.createChannel('delay');
  const { producer, publish } = startProducer(t, { servers: [nsqd.tcpAddress] });
  const consumer = await nsqd.consume('delay');
  await Promise.all([
    ...numbered(30, 'late').map((text) => producer.publish('delay', Buffer.from(text), { delayMs: HOUR_MS })),
    ...publish('delay', numbered(30, 'now')),
    producer.publish('delay', Buffer.from('now, too'), { delayMs: 0 }),
  ]);
  const stats = await waitUntil('what may go went', async () => {
    const topic = await nsqd.topicStats('delay');
    return topic?.channels[0]?.deferred_count === 30 && consumer.received.length === 31 && topic;
  });
  assert.equal(stats.message_count, 61);
  assert.deepEqual(
    consumer.received.map((message) => message.toString()).sort(),
    [...numbered(30, 'now'), 'now, too'].sort(),
  );
  assert.equal(producer.status().counts.published, 61);
  await consumer.stop();
});

test('a message arrives when its delay is over', { skip: nsqdSkipReason }, async (t) => {
  const nsqd = await startNsqd(t);
  const { producer } = startProducer(t, { servers: [nsqd.tcpAddress] });
  await nsqd.createChannel('soon');
  await producer.publish('soon', Buffer.from('x'), { delayMs: 50 });
  const arrived = await nsqd.messages('soon');
  assert.deepEqual(arrived.map(String), ['x']);
});

test('a delay longer than nsqd allows is refused alone, with the way out', {
  skip: nsqdSkipReason,
}, async (t) => {
  const nsqd = await startNsqd(t, { arguments: ['--max-req-timeout=1m'] });
  const { producer, publish } = startProducer(t, { servers: [nsqd.tcpAddress] });
  const good = publish('long', numbered(10));
  const tooLong = producer.publish('long', Buffer.from('x'), { delayMs: HOUR_MS });
  good.push(...publish('long', numbered(10, 'after')));
  await assert.rejects(tooLong, (error) => {
    assert.equal(codeOf(error), 'nsq-bad-delay');
    assert.match(String(error), /topic long: E_INVALID DPUB timeout .*--max-req-timeout/);
    return true;
  });
  await Promise.all(good);
  assert.deepEqual([producer.status().counts.refused, producer.status().counts.failures], [1, 0]);
});

test('a delay that cannot be is refused on the spot', async (t) => {
  const nsqd = await startScriptedNsqd(t, { onCommand: answerOk });
  const { producer } = startProducer(t, { servers: [nsqd.address] });
  for (const delayMs of [-1, 0.5, Number.NaN, 1e12]) {
    await assert.rejects(
      producer.publish('t', Buffer.from('x'), { delayMs }),
      (error) => codeOf(error) === 'nsq-bad-delay',
    );
  }
  assert.deepEqual(nsqd.seen, []);
});

test('each goes as its own DPUB with its delay, and again when the connection broke before the answer', async (t) => {
  const commands: string[] = [];
  const nsqd = await startScriptedNsqd(t, {
    onCommand: (command, socket) => {
      commands.push(`${command.connection} ${command.name} ${command.messages.join()}`);
      if (command.connection === 0) socket.destroy();
      else answerOk(command, socket);
    },
  });
  const { producer } = startProducer(t, { servers: [nsqd.address] });
  await Promise.all(['a', 'b'].map((text) => producer.publish('t', Buffer.from(text), { delayMs: 5_000 })));
  assert.deepEqual(commands.slice(-2), ['1 DPUB a', '1 DPUB b']);
});

test('E_DPUB_FAILED is no fault of the message', async (t) => {
  const nsqd = await startScriptedNsqd(t, {
    onCommand: (command, socket) => {
      if (command.connection > 0) answerOk(command, socket);
      else socket.end(nsqFrame(1, 'E_DPUB_FAILED DPUB failed exiting'));
    },
  });
  const { producer, event } = startProducer(t, { servers: [nsqd.address] });
  await producer.publish('t', Buffer.from('x'), { delayMs: 10 });
  assert.match((await event('server-error')).message, /E_DPUB_FAILED/);
});

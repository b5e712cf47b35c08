import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import { codeOf } from '../../src/shared/coded-error.js';
import type { NsqProducerOptions } from '../../src/shared/nsq-tcp/producer.js';
import { opensslSkipReason, selfSignedCertificate } from '../support/certificate.js';
import { startCompressedNsqd } from '../support/compressed-nsqd.js';
import { numbered, startProducer } from '../support/nsq-producer.js';
import { type Nsqd, nsqdSkipReason, startNsqd } from '../support/nsqd.js';
import { HEARTBEAT_FRAME, nsqFrame, OK_FRAME } from '../support/scripted-nsqd.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const METHODS: readonly Pick<NsqProducerOptions, 'compression' | 'deflateLevel'>[] = [
  { compression: 'deflate', deflateLevel: 1 },
  { compression: 'deflate' },
  { compression: 'deflate', deflateLevel: 9 },
  { compression: 'snappy' },
];
const KINDS = ['deflate', 'snappy'] as const;

const WAVES = ['first', 'second', 'third', 'last'];

function nameOf(method: Pick<NsqProducerOptions, 'compression' | 'deflateLevel'>): string {
  const { compression, deflateLevel } = method;
  return deflateLevel === undefined ? `${compression}` : `${compression} of level ${deflateLevel}`;
}

/** What nsqd shows of its only producer. */
async function clientOf(nsqd: Nsqd): Promise<Record<string, unknown>> {
  const response = await fetch(`http://${nsqd.httpAddress}/stats?format=json`);
  const stats = (await response.json()) as { producers: Record<string, unknown>[] };
  assert.equal(stats.producers.length, 1);
  return stats.producers[0] ?? {};
}

async function startTlsNsqd(test: TestContext) {
  const server = selfSignedCertificate(temporaryFolder(test), 'nsqd.test');
  const nsqd = await startNsqd(test, {
    arguments: [`--tls-cert=${server.certFile}`, `--tls-key=${server.keyFile}`],
  });
  return { nsqd, tls: { ca: server.cert } };
}

describe('a compressed connection to a real nsqd', () => {
  for (const method of METHODS) {
    test(`carries every byte, one by one and in batches: ${nameOf(method)}`, {
      skip: nsqdSkipReason,
    }, async (t) => {
      const nsqd = await startNsqd(t);
      const { producer, publish } = startProducer(t, { servers: [nsqd.tcpAddress], ...method });
      const first = [
        Buffer.from(Array.from({ length: 256 }, (_, at) => at)),
        Buffer.alloc(1_000_000, 'the same again '),
        randomBytes(1_000_000),
        Buffer.from('x'),
      ];
      for (const message of first) await producer.publish('exact', message);
      await Promise.all(publish('exact', numbered(5_000)));
      const arrived = await nsqd.messages('exact');
      assert.equal(arrived.length, first.length + 5_000);
      first.forEach((message, at) => {
        assert.ok(arrived[at]?.equals(message));
      });
      assert.deepEqual(
        arrived.slice(first.length).map((message) => message.toString()),
        numbered(5_000),
      );
      const { compression } = producer.status();
      const client = await clientOf(nsqd);
      assert.deepEqual(
        [compression, client.deflate, client.snappy],
        [method.compression, method.compression === 'deflate', method.compression === 'snappy'],
      );
      assert.deepEqual([producer.status().counts.connections, producer.status().counts.sentAgain], [1, 0]);
    });
  }

  for (const compression of KINDS) {
    test(`takes many megabytes in many topics at once, from shared memory too: ${compression}`, {
      skip: nsqdSkipReason,
    }, async (t) => {
      const nsqd = await startNsqd(t);
      const { producer } = startProducer(t, { servers: [nsqd.tcpAddress], compression });
      const shared = Buffer.from(new SharedArrayBuffer(300_000)).fill('points in shared memory, ');
      const messages = Array.from({ length: 60 }, (_, at) =>
        at % 2 === 0 ? randomBytes(200_000 + at) : shared.subarray(at * 1_000),
      );
      await Promise.all(messages.map((message, at) => producer.publish(`topic.${at % 6}`, message)));
      for (let topic = 0; topic < 6; topic++) {
        const arrived = await nsqd.messages(`topic.${topic}`);
        const sent = messages.filter((_, at) => at % 6 === topic);
        assert.equal(arrived.length, sent.length);
        assert.ok(sent.every((message, at) => arrived[at]?.equals(message)));
      }
    });

    test(`loses nothing when nsqd restarts in the middle: ${compression}`, {
      skip: nsqdSkipReason,
    }, async (t) => {
      const nsqd = await startNsqd(t);
      const { publish, event } = startProducer(t, { servers: [nsqd.tcpAddress], compression });
      const before = publish('restart', numbered(3_000, 'before'));
      await before[0];
      const stopped = nsqd.stop();
      const meanwhile = publish('restart', numbered(3_000, 'meanwhile'));
      await stopped;
      await event('disconnected');
      await nsqd.start();
      await Promise.all([...before, ...meanwhile]);
      const arrived = new Set((await nsqd.messages('restart')).map((message) => message.toString()));
      assert.deepEqual(arrived, new Set([...numbered(3_000, 'before'), ...numbered(3_000, 'meanwhile')]));
    });

    test(`loses nothing when connections break in the middle of a block: ${compression}`, {
      skip: nsqdSkipReason,
    }, async (t) => {
      const nsqd = await startNsqd(t);
      const proxy = await startTcpProxy(t, nsqd.tcpAddress);
      const { producer, publish } = startProducer(t, {
        servers: [proxy.address],
        compression,
        maxBatchMessages: 100,
      });
      // Another wave follows each cut, so that a new connection is needed in any case.
      const sent: Promise<void>[] = [];
      for (const wave of WAVES) {
        const more = publish('cut', numbered(1_000, wave));
        sent.push(...more);
        await more[0];
        if (wave !== WAVES.at(-1)) proxy.cut();
      }
      await Promise.all(sent);
      assert.ok(producer.status().counts.connections > 1);
      const arrived = new Set((await nsqd.messages('cut')).map((message) => message.toString()));
      assert.deepEqual(arrived, new Set(WAVES.flatMap((wave) => numbered(1_000, wave))));
    });

    test(`works inside TLS: ${compression}`, { skip: nsqdSkipReason || opensslSkipReason }, async (t) => {
      const { nsqd, tls } = await startTlsNsqd(t);
      const { producer, publish } = startProducer(t, { servers: [nsqd.tcpAddress], compression, tls });
      const large = randomBytes(900_000);
      await producer.publish('both', large);
      await Promise.all(publish('both', numbered(5_000)));
      const arrived = await nsqd.messages('both');
      assert.ok(arrived[0]?.equals(large));
      assert.deepEqual(
        arrived.slice(1).map((message) => message.toString()),
        numbered(5_000),
      );
      const client = await clientOf(nsqd);
      assert.deepEqual([client.tls, client[compression]], [true, true]);
    });

    test(`tells which message was refused, and the others arrive: ${compression}`, {
      skip: nsqdSkipReason,
    }, async (t) => {
      const nsqd = await startNsqd(t, { arguments: ['--max-msg-size=1000'] });
      const { producer, publish } = startProducer(t, { servers: [nsqd.tcpAddress], compression });
      const good = publish('sizes', numbered(50));
      const tooLarge = producer.publish('sizes', Buffer.alloc(100_000, 'too large'));
      good.push(...publish('sizes', numbered(50, 'after')));
      await assert.rejects(tooLarge, (error) => codeOf(error) === 'nsq-bad-message');
      await Promise.all(good);
      const arrived = new Set((await nsqd.messages('sizes')).map((message) => message.toString()));
      assert.deepEqual(arrived, new Set([...numbered(50), ...numbered(50, 'after')]));
    });

    test(`is not insisted on where nsqd does not offer it, which is told: ${compression}`, {
      skip: nsqdSkipReason,
    }, async (t) => {
      const nsqd = await startNsqd(t, { arguments: ['--deflate=false', '--snappy=false'] });
      const { producer, publish, event } = startProducer(t, { servers: [nsqd.tcpAddress], compression });
      await Promise.all(publish('plain', numbered(100)));
      assert.match((await event('not-compressed')).message, new RegExp(`does not offer ${compression}`));
      assert.equal(producer.status().compression, 'none');
      assert.equal((await nsqd.messages('plain')).length, 100);
    });

    test(`is kept by heartbeats while idle: ${compression}`, { skip: nsqdSkipReason }, async (t) => {
      const nsqd = await startNsqd(t);
      const proxy = await startTcpProxy(t, nsqd.tcpAddress);
      const { producer, publish } = startProducer(t, {
        servers: [proxy.address],
        compression,
        heartbeatMs: 2_000,
      });
      await Promise.all(publish('idle', ['x']));
      const before = proxy.packets;
      // nsqd drops a client that is silent for two heartbeats. Nothing else comes from it meanwhile.
      await waitUntil('three heartbeats came', () => proxy.packets - before >= 3);
      await Promise.all(publish('idle', ['y']));
      assert.equal(producer.status().counts.connections, 1);
    });
  }
});

describe('a server that compresses', () => {
  for (const kind of KINDS) {
    test(`may send its OK in one packet with the answer to IDENTIFY: ${kind}`, async (t) => {
      const server = await startCompressedNsqd(t, kind, (_command, link) => link.send(OK_FRAME));
      const { producer, publish } = startProducer(t, { servers: [server.address], compression: kind });
      for (const message of ['a', 'b', 'c']) await Promise.all(publish('t', [message]));
      assert.deepEqual([producer.status().counts.connections, producer.status().counts.published], [1, 3]);
    });

    test(`is answered when it sends heartbeats: ${kind}`, async (t) => {
      const commands: string[] = [];
      const server = await startCompressedNsqd(t, kind, (command, link) => {
        commands.push(command);
        link.send(command === 'PUB' ? HEARTBEAT_FRAME : OK_FRAME);
      });
      const { publish } = startProducer(t, { servers: [server.address], compression: kind });
      await Promise.all(publish('t', ['x']));
      assert.deepEqual(commands, ['PUB', 'NOP']);
    });

    test(`is heard to its last word when it closes right behind it: ${kind}`, async (t) => {
      const server = await startCompressedNsqd(t, kind, (_command, link) => {
        if (link.connection < 5) link.sendLast(nsqFrame(1, `E_BAD_TOPIC of connection ${link.connection}`));
        else link.send(OK_FRAME);
      });
      const { producer, publish } = startProducer(t, { servers: [server.address], compression: kind });
      for (let at = 0; at < 5; at++) {
        await assert.rejects(Promise.all(publish('t', ['x'])), (error) => codeOf(error) === 'nsq-bad-topic');
      }
      await Promise.all(publish('t', ['x']));
      assert.deepEqual([producer.status().counts.refused, producer.status().counts.failures], [5, 0]);
    });

    test(`is named when its bytes are damaged, and everything goes again: ${kind}`, async (t) => {
      const server = await startCompressedNsqd(t, kind, (_command, link) => {
        if (link.connection === 0) link.sendRaw(Buffer.from('\x07 neither one nor the other'));
        else link.send(OK_FRAME);
      });
      const { publish, event } = startProducer(t, { servers: [server.address], compression: kind });
      await Promise.all(publish('t', ['a', 'b']));
      const { server: named, message } = await event('not-nsqd');
      assert.equal(named, server.address);
      assert.match(message, /sent (what is no deflate stream|a Snappy chunk of the unknown type)/);
    });
  }
});

test('closing while much is being compressed leaves nothing behind', { skip: nsqdSkipReason }, async (t) => {
  const nsqd = await startNsqd(t);
  for (const compression of KINDS) {
    for (let round = 0; round < 5; round++) {
      const { producer } = startProducer(t, { servers: [nsqd.tcpAddress], compression });
      await producer.publish('close', Buffer.from('x'));
      const outcomes = Array.from({ length: 20 }, () =>
        producer.publish('close', randomBytes(500_000)).then(() => undefined, codeOf),
      );
      await new Promise(setImmediate);
      await producer.close();
      assert.ok((await Promise.all(outcomes)).every((code) => code === undefined || code === 'nsq-closed'));
    }
  }
  await waitUntil('nsqd sees no client any more', async () => {
    const response = await fetch(`http://${nsqd.httpAddress}/stats?format=json`);
    const stats = (await response.json()) as { producers: unknown[] | null };
    return (stats.producers ?? []).length === 0;
  });
});

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { CodedError } from '../../src/shared/coded-error.js';
import type { NsqProducerOptions } from '../../src/shared/nsq-tcp/options.js';
import type { ProducerEvent } from '../../src/shared/nsq-tcp/producer-event.js';
import { opensslSkipReason, selfSignedCertificate } from '../support/certificate.js';
import { startAuthServer } from '../support/nsq-auth-server.js';
import { startProducer } from '../support/nsq-producer.js';
import { nsqdSkipReason, startNsqd } from '../support/nsqd.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

/** Publishes what never arrives, and gives the first event, which says why. */
async function firstEventOfFailure(test: TestContext, options: NsqProducerOptions): Promise<ProducerEvent> {
  const { producer, events } = startProducer(test, options);
  producer.publish('t', Buffer.from('x')).catch(() => {});
  const event = await waitUntil('the failure is told', () => events[0]);
  assert.equal(producer.status().counts.connections, 0);
  return event;
}

const tlsSkipReason = nsqdSkipReason || opensslSkipReason;

describe('the producer over TLS', () => {
  async function startTlsNsqd(t: TestContext, ...further: string[]) {
    const server = selfSignedCertificate(temporaryFolder(t), 'nsqd.test');
    const nsqd = await startNsqd(t, {
      arguments: [
        `--tls-cert=${server.certFile}`,
        `--tls-key=${server.keyFile}`,
        '--tls-required=true',
        ...further,
      ],
    });
    return { server, nsqd };
  }

  test('publishes to an nsqd that requires it, in shared memory too', { skip: tlsSkipReason }, async (t) => {
    const { server, nsqd } = await startTlsNsqd(t);
    const { producer } = startProducer(t, { servers: [nsqd.tcpAddress], tls: { ca: server.cert } });
    const shared = Buffer.from(new SharedArrayBuffer(500_000)).fill('abc');
    await Promise.all([
      producer.publish('tls', shared),
      ...Array.from({ length: 500 }, (_, at) => producer.publish('tls', Buffer.from(`message ${at}`))),
    ]);
    assert.equal(producer.status().counts.published, 501);
    assert.equal(producer.status().counts.connections, 1);
    await producer.close();
  });

  test('survives a restart of nsqd', { skip: tlsSkipReason }, async (t) => {
    const { server, nsqd } = await startTlsNsqd(t);
    const { producer } = startProducer(t, { servers: [nsqd.tcpAddress], tls: { ca: server.cert } });
    await producer.publish('tls', Buffer.from('a'));
    await nsqd.stop();
    const meanwhile = producer.publish('tls', Buffer.from('b'));
    await nsqd.start();
    await meanwhile;
    assert.equal(producer.status().counts.published, 2);
  });

  test('does not talk to a server whose certificate it has no reason to trust', {
    skip: tlsSkipReason,
  }, async (t) => {
    const { nsqd } = await startTlsNsqd(t);
    const event = await firstEventOfFailure(t, { servers: [nsqd.tcpAddress], tls: {} });
    assert.equal(event.kind, 'unreachable');
    assert.match(event.message, /self-signed certificate/);
  });

  test('checks the name of the certificate, which servername may set', { skip: tlsSkipReason }, async (t) => {
    const { server, nsqd } = await startTlsNsqd(t);
    const wrong = { ca: server.cert, servername: 'other.test' };
    const event = await firstEventOfFailure(t, { servers: [nsqd.tcpAddress], tls: wrong });
    assert.match(event.message, /other\.test/);
    const { producer } = startProducer(t, {
      servers: [nsqd.tcpAddress],
      tls: { ca: server.cert, servername: 'nsqd.test' },
    });
    await producer.publish('tls', Buffer.from('x'));
  });

  test('takes any certificate only when told so', { skip: tlsSkipReason }, async (t) => {
    const { nsqd } = await startTlsNsqd(t);
    const { producer } = startProducer(t, { servers: [nsqd.tcpAddress], tls: { rejectUnauthorized: false } });
    await producer.publish('tls', Buffer.from('x'));
  });

  test('shows its own certificate where nsqd asks for one', { skip: tlsSkipReason }, async (t) => {
    const client = selfSignedCertificate(temporaryFolder(t), 'client.test');
    const { server, nsqd } = await startTlsNsqd(
      t,
      '--tls-client-auth-policy=require-verify',
      `--tls-root-ca-file=${client.certFile}`,
    );
    const { producer } = startProducer(t, {
      servers: [nsqd.tcpAddress],
      tls: { ca: server.cert, cert: client.cert, key: client.key },
    });
    await producer.publish('tls', Buffer.from('x'));
    await firstEventOfFailure(t, { servers: [nsqd.tcpAddress], tls: { ca: server.cert } });
  });

  test('sends nothing in clear to an nsqd without TLS', { skip: tlsSkipReason }, async (t) => {
    const nsqd = await startNsqd(t);
    const event = await firstEventOfFailure(t, { servers: [nsqd.tcpAddress], tls: {} });
    assert.match(event.message, /offers no TLS/);
  });

  test('without TLS the demand of nsqd is told', { skip: tlsSkipReason }, async (t) => {
    const { nsqd } = await startTlsNsqd(t);
    const { producer, events } = startProducer(t, { servers: [nsqd.tcpAddress] });
    producer.publish('t', Buffer.from('x')).catch(() => {});
    const event = await waitUntil('the demand is told', () =>
      events.find((each) => each.kind === 'server-error'),
    );
    assert.match(event.message, /TLS required/);
  });
});

const SECRET = 'open sesame';

/** nsqd that only lets this secret publish, and only to topics that begin with "allowed". */
async function startAuthNsqd(t: TestContext) {
  const address = await startAuthServer(t, SECRET, '^allowed');
  return startNsqd(t, { arguments: [`--auth-http-address=${address}`] });
}

describe('the producer and an nsqd that requires AUTH', () => {
  test('publishes with the secret; a topic that is not allowed is refused alone', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const nsqd = await startAuthNsqd(t);
    const { producer } = startProducer(t, { servers: [nsqd.tcpAddress], authSecret: SECRET });
    const good = [1, 2, 3].map((at) => producer.publish('allowed.a', Buffer.from(`before ${at}`)));
    const refused = producer.publish('secret', Buffer.from('x'));
    good.push(...[1, 2, 3].map((at) => producer.publish('allowed.b', Buffer.from(`after ${at}`))));
    await Promise.all([
      ...good,
      assert.rejects(refused, (error) => {
        assert.ok(error instanceof CodedError);
        assert.equal(error.code, 'nsq-unauthorized');
        assert.match(error.message, /topic secret: E_UNAUTHORIZED/);
        return true;
      }),
    ]);
    assert.equal(producer.status().counts.refused, 1);
  });

  test('says what is wrong without a secret and with a wrong one, which is not told', {
    skip: nsqdSkipReason,
  }, async (t) => {
    const nsqd = await startAuthNsqd(t);
    const without = await firstEventOfFailure(t, { servers: [nsqd.tcpAddress] });
    assert.equal(without.kind, 'auth');
    assert.match(without.message, /no auth secret is set/);
    const wrong = await firstEventOfFailure(t, { servers: [nsqd.tcpAddress], authSecret: 'wrong-one' });
    assert.equal(wrong.kind, 'auth');
    assert.match(wrong.message, /does not let this client in/);
    assert.ok(!wrong.message.includes('wrong-one'));
  });
});

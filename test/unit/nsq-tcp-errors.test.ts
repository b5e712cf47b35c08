import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNsqError, refusalOf, verdictOn } from '../../src/shared/nsq-tcp/nsq-error.js';

/** The sentences of nsqd 1.3.0, and what becomes of the messages. */
const ERRORS: readonly (readonly [text: string, verdict: string])[] = [
  ['E_BAD_TOPIC PUB topic name "a b" is not valid', 'refused'],
  ['E_BAD_TOPIC E_BAD_TOPIC MPUB topic name "a b" is not valid', 'refused'],
  ['E_UNAUTHORIZED AUTH failed for PUB on "t" ""', 'refused'],
  ['E_INVALID DPUB timeout 7200000 out of range 0-3600000', 'refused'],
  ['E_INVALID DPUB could not parse timeout x', 'refused'],
  ['E_BAD_MESSAGE PUB message too big 2 > 1', 'split'],
  ['E_BAD_MESSAGE PUB invalid message body size 0', 'split'],
  ['E_BAD_MESSAGE DPUB message too big 2 > 1', 'split'],
  ['E_BAD_MESSAGE MPUB message too big 2 > 1', 'split'],
  ['E_BAD_MESSAGE MPUB invalid message(3) body size 0', 'split'],
  ['E_BAD_BODY MPUB body too big 2 > 1', 'split'],
  ['E_BAD_BODY MPUB invalid message count 9', 'split'],
  ['E_BAD_MESSAGE PUB failed to read message body', 'again'],
  ['E_BAD_MESSAGE MPUB failed to read message(3) body size', 'again'],
  ['E_BAD_BODY MPUB failed to read body size', 'again'],
  ['E_PUB_FAILED PUB failed exiting', 'again'],
  ['E_MPUB_FAILED MPUB failed exiting', 'again'],
  ['E_DPUB_FAILED DPUB failed exiting', 'again'],
  ['E_INVALID cannot PUB in current state (TLS required)', 'again'],
  ['E_INVALID invalid command PUBX', 'again'],
  ['E_AUTH_FIRST AUTH required before PUB', 'again'],
  ['E_AUTH_FAILED AUTH failed', 'again'],
  ['E_AUTH_ERROR AUTH error down', 'again'],
  ['E_OF_A_LATER_NSQD whatever', 'again'],
  ['', 'again'],
];

test('every error of nsqd has its consequence', () => {
  for (const [text, verdict] of ERRORS)
    assert.equal(verdictOn(parseNsqError(Buffer.from(text))), verdict, text);
});

test('a refusal says what is wrong, where, and the way out', () => {
  for (const [text, code, wayOut] of [
    ['E_BAD_TOPIC no', 'nsq-bad-topic', /another topic/],
    ['E_UNAUTHORIZED no', 'nsq-unauthorized', /auth server/],
    ['E_BAD_MESSAGE no', 'nsq-bad-message', /--max-msg-size/],
    ['E_BAD_BODY no', 'nsq-bad-message', /--max-body-size/],
    ['E_INVALID DPUB timeout 2 out of range 0-1', 'nsq-bad-delay', /--max-req-timeout/],
  ] as const) {
    const refusal = refusalOf(parseNsqError(Buffer.from(text)), 'host:4150', 'the.topic');
    assert.equal(refusal.code, code);
    assert.match(refusal.message, wayOut);
    for (const part of ['host:4150', 'the.topic', text]) assert.ok(refusal.message.includes(part));
  }
});

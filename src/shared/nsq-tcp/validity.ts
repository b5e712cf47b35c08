import { CodedError } from '../coded-error.js';

/** The rule of nsqd; the suffix counts. */
const TOPIC_NAME = /^[.a-zA-Z0-9_-]+(#ephemeral)?$/;
const MAX_TOPIC_LENGTH = 64;

/** Undefined when nsqd takes the name as a topic. */
export function topicProblem(topic: string): CodedError | undefined {
  if (topic.length <= MAX_TOPIC_LENGTH && TOPIC_NAME.test(topic)) return undefined;
  return new CodedError(
    'nsq-bad-topic',
    `${JSON.stringify(topic.slice(0, 100))} is no topic name for NSQ: 1 to ${MAX_TOPIC_LENGTH} characters of ` +
      'a-z A-Z 0-9 . _ - are taken, with #ephemeral at the end or not',
  );
}

/** Undefined when the message can be sent; whether the server takes one of its size only the server knows. */
export function messageProblem(topic: string, message: Uint8Array, maxBytes: number): CodedError | undefined {
  if (message.length === 0) {
    return new CodedError('nsq-bad-message', `an empty message for topic ${topic}: nsqd takes none`);
  }
  if (message.length > maxBytes) {
    return new CodedError(
      'nsq-message-too-large',
      `a message of ${message.length} bytes for topic ${topic}: at most ${maxBytes} are allowed, split it`,
    );
  }
  return undefined;
}

/** The longest delay that is asked of a server: 24 days. nsqd's own bound, `--max-req-timeout`, is an hour. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** Undefined when it can be asked for; how long a server holds messages back at most only the server knows. */
export function delayProblem(topic: string, delayMs: number): CodedError | undefined {
  if (Number.isInteger(delayMs) && delayMs >= 0 && delayMs <= MAX_DELAY_MS) return undefined;
  return new CodedError(
    'nsq-bad-delay',
    `a message for topic ${topic} with the delay ${delayMs}: it must be a whole number of milliseconds, ` +
      `0 to ${MAX_DELAY_MS}`,
  );
}

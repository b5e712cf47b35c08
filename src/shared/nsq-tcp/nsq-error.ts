import { CodedError } from '../coded-error.js';

/** The data of an error frame: `E_CODE text`. */
export interface NsqError {
  readonly code: string;
  /** The whole of it, code included. */
  readonly text: string;
}

/** What an error in answer to a PUB, MPUB or DPUB means for its messages. */
export type Verdict =
  /** Set aside: they can never be taken. The server is well and is kept. */
  | 'refused'
  /** One of them, or all together, cannot be taken: halved until the one is found. The server is well and is kept. */
  | 'split'
  /** It is the server's trouble: they go again, to another server if there is one, else here after a while. */
  | 'again';

const MAX_TEXT = 500;

/** Reads the data of an error frame, at most its first 500 bytes. */
export function parseNsqError(data: Buffer): NsqError {
  const text = printable(data.toString('utf8', 0, MAX_TEXT));
  return { code: text.split(' ', 1)[0] ?? text, text };
}

/** Text from the network, fit for one line of a log. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim();
}

/**
 * Every code that nsqd 1.3 gives to a producer. What it does not know here, and so what a later nsqd may say, is the
 * server's trouble: to send again can at worst give a message twice, to set aside would lose it.
 */
export function verdictOn(error: NsqError): Verdict {
  switch (error.code) {
    case 'E_BAD_TOPIC':
    case 'E_UNAUTHORIZED':
      return 'refused';
    case 'E_BAD_MESSAGE':
    case 'E_BAD_BODY':
      // nsqd gives the same codes when the connection failed it in the middle of a good message.
      return error.text.includes('failed to read') ? 'again' : 'split';
    case 'E_INVALID':
      // Nearly always about the connection, as where TLS is required; but a delay can be at fault, too.
      return /DPUB (could not parse timeout|timeout .* out of range)/.test(error.text) ? 'refused' : 'again';
    default:
      // E_PUB_FAILED, E_MPUB_FAILED, E_DPUB_FAILED: it is about to end, or its disk is full. E_AUTH_FIRST,
      // E_AUTH_FAILED, E_AUTH_ERROR: its auth server has changed its mind or does not answer.
      return 'again';
  }
}

/** What the publisher of a refused message is told. */
export function refusalOf(error: NsqError, server: string, topic: string): CodedError {
  const [code, wayOut] = REFUSALS[error.code] ?? OTHER_REFUSAL;
  return new CodedError(
    code,
    `nsqd ${server} refused a message for topic ${topic}: ${error.text}. ${wayOut}`,
  );
}

const OTHER_REFUSAL = ['nsq-bad-message', 'It cannot be sent as it is'] as const;

const REFUSALS: Readonly<Record<string, readonly [code: string, wayOut: string]>> = {
  E_BAD_TOPIC: ['nsq-bad-topic', 'Use another topic name'],
  E_UNAUTHORIZED: [
    'nsq-unauthorized',
    'Let the auth server of NSQ allow this client to publish to the topic',
  ],
  E_INVALID: ['nsq-bad-delay', 'Use a shorter delay, or raise --max-req-timeout of the nsqd'],
  E_BAD_MESSAGE: ['nsq-bad-message', 'Split the message, or raise --max-msg-size of the nsqd'],
  E_BAD_BODY: ['nsq-bad-message', 'Split the message, or raise --max-body-size of the nsqd'],
};

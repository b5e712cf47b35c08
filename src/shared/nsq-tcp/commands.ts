/**
 * The bytes of the commands that a producer sends (NSQ TCP protocol V2). Integers are big-endian.
 * Every function gives one whole buffer; message bytes are copied once, into it, so messages may lie in shared memory.
 */

/** First bytes of every connection: the version of the protocol. */
export const MAGIC = Buffer.from('  V2', 'latin1');

/** The answer to a heartbeat. */
export const NOP = Buffer.from('NOP\n', 'latin1');

const SIZE_BYTES = 4;

/** What a client tells about itself; the names are those of the protocol. */
export interface Identity {
  readonly client_id: string;
  readonly hostname: string;
  readonly user_agent: string;
  readonly feature_negotiation: true;
  /** Milliseconds. */
  readonly heartbeat_interval: number;
  readonly tls_v1: boolean;
  readonly deflate: boolean;
  /** 1 to 9. */
  readonly deflate_level?: number;
  readonly snappy: boolean;
}

/** Introduces the client; the answer says what the server can. */
export function identify(identity: Identity): Buffer {
  return withBody('IDENTIFY\n', Buffer.from(JSON.stringify(identity)));
}

/** Shows the secret, to a server that asks for one. */
export function auth(secret: string): Buffer {
  return withBody('AUTH\n', Buffer.from(secret));
}

/** Publishes one message. */
export function pub(topic: string, message: Uint8Array): Buffer {
  return withBody(`PUB ${topic}\n`, message);
}

/** Publishes one message that nsqd holds back for `delayMs`, a whole number. */
export function dpub(topic: string, message: Uint8Array, delayMs: number): Buffer {
  return withBody(`DPUB ${topic} ${delayMs}\n`, message);
}

/** Publishes several messages of one topic: nsqd takes all of them or none. */
export function mpub(topic: string, messages: readonly Uint8Array[]): Buffer {
  const head = `MPUB ${topic}\n`;
  const bodyBytes = mpubBodyBytes(messages);
  const frame = Buffer.allocUnsafe(head.length + SIZE_BYTES + bodyBytes);
  let at = frame.write(head, 'latin1');
  at = frame.writeUInt32BE(bodyBytes, at);
  at = frame.writeUInt32BE(messages.length, at);
  for (const message of messages) {
    at = frame.writeUInt32BE(message.length, at);
    frame.set(message, at);
    at += message.length;
  }
  return frame;
}

/** What a message adds to the body of an MPUB beside its own bytes. */
export const MPUB_MESSAGE_OVERHEAD = SIZE_BYTES;

/** What the body of an MPUB has beside its messages: their number. */
export const MPUB_BODY_OVERHEAD = SIZE_BYTES;

function mpubBodyBytes(messages: readonly Uint8Array[]): number {
  return messages.reduce((sum, message) => sum + MPUB_MESSAGE_OVERHEAD + message.length, MPUB_BODY_OVERHEAD);
}

function withBody(head: string, body: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(head.length + SIZE_BYTES + body.length);
  const bodyAt = frame.writeUInt32BE(body.length, frame.write(head, 'latin1'));
  frame.set(body, bodyAt);
  return frame;
}

import type { NotAFrame } from './frames.js';
import { type NsqError, printable } from './nsq-error.js';

/** What ended a connection. */
export type EndKind =
  /** The network or the server went away, or it never came about. */
  | 'lost'
  /** The server answers in HTTP. */
  | 'http-port'
  /** The server speaks another protocol. */
  | 'not-nsqd'
  /** The server does not let this client in. */
  | 'auth'
  /** The server sent an error frame. */
  | 'error';

/** How a connection ended. */
export interface ConnectionEnd<Token> {
  readonly kind: EndKind;
  /** Goes on where "nsqd host:port" leaves off: "closed the connection". */
  readonly reason: string;
  /** True when it ended after the handshake. */
  readonly wasReady: boolean;
  /** The command that the server answered with an error, which ended the connection. */
  readonly refused: { readonly token: Token; readonly error: NsqError } | undefined;
  /** The commands sent after that, or all of them: what became of them is unknown. Oldest first. */
  readonly unanswered: readonly Token[];
}

/** Thrown inside the connection layer to end the connection. */
export class ConnectionFailure extends Error {
  readonly kind: EndKind;

  constructor(kind: EndKind, reason: string) {
    super(reason);
    this.name = 'ConnectionFailure';
    this.kind = kind;
  }
}

const HTTP_REASON =
  'answers in HTTP: this is not the TCP port of an nsqd. Set the server to its TCP port, usually 4150 ' +
  '(4151 is the HTTP port of nsqd, 4160 and 4161 belong to nsqlookupd)';

const LOOKUPD_REASON =
  'refuses the protocol of producers, as an nsqlookupd does (ports 4160 and 4161). ' +
  'Set the server to the TCP port of an nsqd, usually 4150';

/** The failure of a server whose bytes are no frames. */
export function failureOfBytes(bad: NotAFrame, maxFrameBytes: number): ConnectionFailure {
  switch (bad.kind) {
    case 'http':
      return new ConnectionFailure('http-port', HTTP_REASON);
    case 'lookupd':
      return new ConnectionFailure('not-nsqd', LOOKUPD_REASON);
    case 'size':
      return new ConnectionFailure(
        'not-nsqd',
        `sent a frame of ${bad.bytes} bytes, where at most ${maxFrameBytes} make sense: is this the TCP port of an nsqd?`,
      );
    case 'type':
      return new ConnectionFailure(
        'not-nsqd',
        `sent a frame of the unknown type ${bad.type}: is this the TCP port of an nsqd?`,
      );
  }
}

/** An error frame that answers no PUB or MPUB. */
export function failureOfError(error: NsqError): ConnectionFailure {
  const isAuth = error.code.startsWith('E_AUTH') || error.code === 'E_UNAUTHORIZED';
  return isAuth
    ? new ConnectionFailure('auth', `does not let this client in: ${error.text}. Check the auth secret`)
    : new ConnectionFailure('error', `answered ${error.text}`);
}

/** A response while no command waits for one, or one that does not answer it. */
export function unexpectedResponse(data: Buffer): ConnectionFailure {
  return new ConnectionFailure(
    'not-nsqd',
    `sent the response "${printable(data.toString('utf8', 0, 80))}", which nothing asked for`,
  );
}

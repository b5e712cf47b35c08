import { reasonOf } from '../coded-error.js';
import type { CompressionMethod } from './codec.js';
import * as commands from './commands.js';
import {
  type ConnectionEnd,
  ConnectionFailure,
  failureOfBytes,
  failureOfError,
  unexpectedResponse,
} from './connection-end.js';
import { FRAME_TYPE, FrameReader } from './frames.js';
import { type Agreed, OK, shakeHands } from './handshake.js';
import { type NsqError, parseNsqError } from './nsq-error.js';
import type { ConnectionSettings, NsqTls } from './options.js';
import type { ServerAddress } from './server-address.js';
import { Transport } from './transport.js';

/** What a connection tells its owner. Nothing is told after `ended`. */
export interface ConnectionEvents<Token> {
  /** The handshake is done: commands may be sent. */
  ready(agreed: Agreed): void;
  /** The server answered OK to the command of this token. */
  answered(token: Token): void;
  /** The connection is over, for whatever reason but `close()`. Told once, never from inside the constructor. */
  ended(end: ConnectionEnd<Token>): void;
}

/** Answers are a few words, the largest the features of the server. */
const MAX_FRAME_BYTES = 64 * 1024;
const HEARTBEAT = Buffer.from('_heartbeat_', 'latin1');
const NOTHING = Buffer.alloc(0);

/**
 * One connection to one nsqd: owns it from connecting to closing and never connects again.
 * Commands are answered in the order in which they were sent; the owner's token stands for each.
 */
export class NsqConnection<Token> {
  readonly #settings: ConnectionSettings;
  readonly #events: ConnectionEvents<Token>;
  readonly #frames = new FrameReader(MAX_FRAME_BYTES);
  /** Tokens of the commands on the way, oldest first. */
  readonly #unanswered: Token[] = [];
  readonly #connectTimer: NodeJS.Timeout;
  readonly #transport: Transport;
  #watch: NodeJS.Timeout | undefined;
  #state: 'shaking-hands' | 'ready' | 'over' = 'shaking-hands';
  #handshakeAnswer: { resolve(data: Buffer): void; reject(failure: Error): void } | undefined;
  /** An answer of the handshake is being looked at: what comes after it may be TLS or compressed. */
  #isPaused = false;
  #heardAt = performance.now();
  /** Since when an answer is due; of no meaning while none is. */
  #dueSince = 0;

  constructor(server: ServerAddress, settings: ConnectionSettings, events: ConnectionEvents<Token>) {
    this.#settings = settings;
    this.#events = events;
    this.#transport = new Transport(server, {
      connected: () => void this.#shakeHands(),
      received: (bytes) => this.#read(bytes),
      over: (error) =>
        this.#end(error === undefined ? lost('closed the connection') : this.#lostThrough(error)),
      garbled: (reason) => this.#end(new ConnectionFailure('not-nsqd', reason)),
    });
    this.#connectTimer = setTimeout(
      () => this.#end(new ConnectionFailure('lost', `was not ready within ${settings.connectTimeoutMs} ms`)),
      settings.connectTimeoutMs,
    );
  }

  /** Sends a PUB, MPUB or DPUB. Only from `ready` to `ended`. */
  send(command: Buffer, token: Token): void {
    if (this.#unanswered.length === 0) this.#dueSince = performance.now();
    this.#unanswered.push(token);
    this.#transport.write(command);
  }

  /**
   * What `sends` sends goes to the network in one piece. That is less work, and a server that ends the connection over
   * one of the commands finds no later write that fails first and takes the server's reason with it.
   */
  sendTogether(sends: () => void): void {
    this.#transport.writeTogether(sends);
  }

  /** Tokens of the commands on the way, oldest first. */
  get unanswered(): readonly Token[] {
    return this.#unanswered;
  }

  /** Bytes that the network has not taken yet. */
  get queuedBytes(): number {
    return this.#transport.queuedBytes;
  }

  /** Ends the connection without telling `ended`. Resolves when the socket is closed. */
  async close(): Promise<void> {
    this.#release();
    await this.#transport.closed();
  }

  async #shakeHands(): Promise<void> {
    let agreed: Agreed;
    try {
      agreed = await shakeHands(
        {
          request: (bytes) => this.#request(bytes),
          startTls: (tls) => this.#startTls(tls),
          startCompression: (method) => this.#startCompression(method),
        },
        this.#settings,
      );
    } catch (failure) {
      this.#end(failure instanceof ConnectionFailure ? failure : lost(reasonOf(failure)));
      return;
    }
    if (this.#state === 'over') return;
    this.#state = 'ready';
    clearTimeout(this.#connectTimer);
    this.#watch = setInterval(() => this.#look(), this.#lookEveryMs());
    this.#events.ready(agreed);
    this.#resume();
  }

  #request(bytes: Buffer): Promise<Buffer> {
    const answer = this.#nextHandshakeAnswer();
    this.#transport.write(bytes);
    this.#resume();
    return answer;
  }

  #startTls(tls: NsqTls): Promise<Buffer> {
    // A server waits for the client's first word in TLS. Whatever is here was slipped in by someone on the way.
    if (this.#frames.takeHeld().length > 0) throw lost('sent bytes in clear after it had agreed on TLS');
    const answer = this.#nextHandshakeAnswer();
    this.#isPaused = false;
    this.#transport.startTls(tls);
    return answer;
  }

  #startCompression(method: CompressionMethod): Promise<Buffer> {
    const answer = this.#nextHandshakeAnswer();
    this.#isPaused = false;
    this.#transport.startCompression(method, this.#frames.takeHeld());
    return answer;
  }

  /** Throws when the connection ended meanwhile, so that the handshake goes no further. */
  #nextHandshakeAnswer(): Promise<Buffer> {
    if (this.#state === 'over') throw lost('closed the connection');
    return new Promise((resolve, reject) => {
      this.#handshakeAnswer = { resolve, reject };
    });
  }

  #lostThrough(error: Error): ConnectionFailure {
    // With several addresses to a name the reasons are inside, one for each.
    const reason = error instanceof AggregateError ? error.errors.map(reasonOf).join('; ') : reasonOf(error);
    return lost(`${this.#state === 'ready' ? 'broke the connection' : 'cannot be reached'}: ${reason}`);
  }

  #read(chunk: Buffer): void {
    this.#heardAt = performance.now();
    if (this.#isPaused) {
      this.#frames.hold(chunk);
      return;
    }
    const bad = this.#frames.read(chunk, (type, data) => {
      this.#take(type, data);
      return this.#state !== 'over' && !this.#isPaused;
    });
    if (bad !== undefined) this.#end(failureOfBytes(bad, MAX_FRAME_BYTES));
  }

  #resume(): void {
    this.#isPaused = false;
    if (this.#state !== 'over') this.#read(NOTHING);
  }

  #take(type: number, data: Buffer): void {
    if (type === FRAME_TYPE.error) this.#takeError(parseNsqError(data));
    else if (type === FRAME_TYPE.message)
      this.#end(new ConnectionFailure('not-nsqd', 'sent a message to a producer'));
    else if (data.equals(HEARTBEAT)) this.#transport.write(commands.NOP);
    else if (this.#state === 'ready') this.#takeAnswer(data);
    else this.#takeHandshakeAnswer(data);
  }

  #takeAnswer(data: Buffer): void {
    const token = this.#unanswered[0];
    if (token === undefined || !data.equals(OK)) {
      this.#end(unexpectedResponse(data));
      return;
    }
    this.#unanswered.shift();
    this.#dueSince = this.#heardAt;
    this.#events.answered(token);
  }

  #takeHandshakeAnswer(data: Buffer): void {
    const waiting = this.#handshakeAnswer;
    if (waiting === undefined) {
      this.#end(unexpectedResponse(data));
      return;
    }
    this.#handshakeAnswer = undefined;
    this.#isPaused = true;
    // A copy, as it is looked at later than now.
    waiting.resolve(Buffer.from(data));
  }

  /** nsqd ends the connection after every error that a producer can cause, so this side does not wait for it. */
  #takeError(error: NsqError): void {
    const token = this.#unanswered.shift();
    const failure = failureOfError(error);
    if (token === undefined) this.#end(failure);
    else this.#end(new ConnectionFailure('error', `answered ${error.text}`), { token, error });
  }

  #lookEveryMs(): number {
    return Math.min(1_000, Math.max(5, Math.min(this.#settings.responseTimeoutMs, this.#silentMs()) / 4));
  }

  #silentMs(): number {
    return 2 * this.#settings.heartbeatMs;
  }

  /** Ends a connection whose answers or heartbeats are overdue. */
  #look(): void {
    if (this.#overdue() === undefined) return;
    // When this thread was held up, the bytes may be here unread: they get their turn first.
    setImmediate(() => {
      const overdue = this.#overdue();
      if (overdue !== undefined) this.#end(lost(overdue));
    });
  }

  #overdue(): string | undefined {
    const now = performance.now();
    if (this.#unanswered.length > 0 && now - this.#dueSince > this.#settings.responseTimeoutMs) {
      return `did not answer within ${this.#settings.responseTimeoutMs} ms`;
    }
    if (now - this.#heardAt > this.#silentMs()) return `was silent for ${this.#silentMs()} ms`;
    return undefined;
  }

  #end(failure: ConnectionFailure, refused?: { readonly token: Token; readonly error: NsqError }): void {
    if (this.#state === 'over') return;
    const wasReady = this.#state === 'ready';
    this.#release(failure);
    this.#events.ended({
      kind: failure.kind,
      reason: failure.message,
      wasReady,
      refused,
      unanswered: this.#unanswered,
    });
  }

  #release(failure: Error = lost('was left')): void {
    this.#state = 'over';
    clearTimeout(this.#connectTimer);
    clearInterval(this.#watch);
    this.#transport.destroy();
    this.#handshakeAnswer?.reject(failure);
    this.#handshakeAnswer = undefined;
  }
}

function lost(reason: string): ConnectionFailure {
  return new ConnectionFailure('lost', reason);
}

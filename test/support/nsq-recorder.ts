import type { ConnectionTap } from './tcp-proxy.js';

/** Told of each message that nsqd has acknowledged. */
export type OnAcknowledged = (topic: string, message: Buffer) => void;

interface Command {
  /** Undefined for commands that bring no messages. */
  readonly topic: string | undefined;
  readonly messages: readonly Buffer[];
}

const MAGIC = '  V2';
const RESPONSE_FRAME = 0;
const NONE: Command = { topic: undefined, messages: [] };

/** Reads along on a connection of a producer, without TLS and compression, and says what nsqd acknowledged on it. */
export class NsqRecorder implements ConnectionTap {
  readonly #onAcknowledged: OnAcknowledged;
  #sent = new ByteQueue();
  #answered = new ByteQueue();
  #hasMagic = false;
  /** Sent and not answered, oldest first: nsqd answers in this order. */
  readonly #open: Command[] = [];

  constructor(onAcknowledged: OnAcknowledged) {
    this.#onAcknowledged = onAcknowledged;
  }

  fromClient(chunk: Buffer): void {
    this.#sent.push(chunk);
    if (!this.#hasMagic) {
      const magic = this.#sent.peek(MAGIC.length);
      if (!magic) return;
      if (magic.toString('latin1') !== MAGIC) throw new Error(`no producer of NSQ: ${magic.toString('hex')}`);
      this.#sent.take(MAGIC.length);
      this.#hasMagic = true;
    }
    for (let command = this.#nextCommand(); command; command = this.#nextCommand()) {
      if (command !== NONE) this.#open.push(command);
    }
  }

  fromServer(chunk: Buffer): void {
    this.#answered.push(chunk);
    for (;;) {
      const size = this.#answered.peek(4)?.readUInt32BE();
      const frame = size === undefined ? undefined : this.#answered.take(4 + size);
      if (!frame) return;
      this.#takeAnswer(frame.readUInt32BE(4), frame.toString('utf8', 8));
    }
  }

  #takeAnswer(type: number, text: string): void {
    if (text === '_heartbeat_') return;
    const command = this.#open.shift();
    if (!command) throw new Error(`nsqd answered what nobody asked: ${text}`);
    if (type !== RESPONSE_FRAME || text !== 'OK' || command.topic === undefined) return;
    for (const message of command.messages) this.#onAcknowledged(command.topic, message);
  }

  /** `NONE` for one that gets no answer; undefined while some of it is missing. */
  #nextCommand(): Command | undefined {
    const line = this.#sent.peekLine();
    if (line === undefined) return undefined;
    const [name = '', topic] = line.split(' ');
    const lineBytes = line.length + 1;
    if (name === 'NOP') {
      this.#sent.take(lineBytes);
      return NONE;
    }
    if (name === 'CLS') {
      this.#sent.take(lineBytes);
      return { topic: undefined, messages: [] };
    }
    const size = this.#sent.peek(lineBytes + 4)?.readUInt32BE(lineBytes);
    const whole = size === undefined ? undefined : this.#sent.take(lineBytes + 4 + size);
    if (!whole) return undefined;
    const body = whole.subarray(lineBytes + 4);
    if (name === 'PUB' || name === 'DPUB') return { topic, messages: [body] };
    if (name === 'MPUB') return { topic, messages: messagesOf(body) };
    if (name === 'IDENTIFY' || name === 'AUTH') return { topic: undefined, messages: [] };
    throw new Error(`a command of NSQ that is not known here: ${line}`);
  }
}

/** Bytes that came in pieces. */
class ByteQueue {
  #chunks: Buffer[] = [];
  #length = 0;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  peek(length: number): Buffer | undefined {
    if (this.#length < length) return undefined;
    if ((this.#chunks[0]?.length ?? 0) < length) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]?.subarray(0, length);
  }

  take(length: number): Buffer | undefined {
    const taken = this.peek(length);
    const first = this.#chunks[0];
    if (!taken || !first) return undefined;
    if (first.length === length) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(length);
    this.#length -= length;
    return taken;
  }

  /** A line of at most 200 bytes, without its end. */
  peekLine(): string | undefined {
    const bytes = this.peek(Math.min(this.#length, 200));
    const end = bytes?.indexOf(0x0a) ?? -1;
    return bytes && end !== -1 ? bytes.toString('latin1', 0, end) : undefined;
  }
}

/** The messages in the body of an MPUB. */
function messagesOf(body: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  let at = 4;
  for (let count = body.readUInt32BE(); count > 0; count -= 1) {
    const size = body.readUInt32BE(at);
    messages.push(body.subarray(at + 4, at + 4 + size));
    at += 4 + size;
  }
  return messages;
}

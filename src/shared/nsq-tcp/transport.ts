import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Codec, CodecEvents, CompressionMethod } from './codec.js';
import { DeflateCodec } from './deflate-codec.js';
import type { NsqTls } from './options.js';
import type { ServerAddress } from './server-address.js';
import { SnappyCodec } from './snappy-codec.js';

/** What a transport tells its owner. Nothing is told after `destroy()`. */
export interface TransportEvents {
  connected(): void;
  /** Bytes as the server wrote them, before TLS and compression. Valid during the call. */
  received(bytes: Buffer): void;
  /** The network or the server ended it; the error is missing when it was closed in good order. */
  over(error: Error | undefined): void;
  /** The server's bytes are not the compression that was agreed on; goes on after "nsqd host:port". */
  garbled(reason: string): void;
}

const KEEP_ALIVE_MS = 30_000;
/** Answers are a few words, hundreds of which come together at most. */
const READ_BYTES = 8 * 1024;
/** Answers are a few words: whoever sends more than this faster than it is unpacked has to wait. */
const MAX_UNDECODED_BYTES = 256 * 1024;

/** The bytes of one connection: a socket, TLS on it where it was started, compression in that where it was started. */
export class Transport {
  readonly #server: ServerAddress;
  readonly #events: TransportEvents;
  /** What the socket reads into, again and again. */
  readonly #readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);
  #socket: Socket;
  #codec: Codec | undefined;
  #isTogether = false;
  #isOver = false;

  constructor(server: ServerAddress, events: TransportEvents) {
    this.#server = server;
    this.#events = events;
    this.#socket = connect({
      host: server.host,
      port: server.port,
      noDelay: true,
      // Else every read takes a buffer of 64 KiB for the few words of an answer, and the long way through a stream.
      onread: { buffer: this.#readBuffer, callback: (bytes) => this.#readInPlace(bytes) },
    });
    this.#socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#socket.once('connect', () => this.#events.connected());
    this.#listenForEnd();
  }

  write(bytes: Buffer): void {
    if (this.#codec === undefined) {
      this.#socket.write(bytes);
      return;
    }
    this.#codec.encode(bytes);
    if (!this.#isTogether) this.#codec.flush();
  }

  /** What `writes` writes goes to the network in one piece. */
  writeTogether(writes: () => void): void {
    this.#isTogether = true;
    this.#socket.cork();
    writes();
    this.#isTogether = false;
    this.#codec?.flush();
    this.#socket.uncork();
  }

  /** Bytes that the network has not taken yet. */
  get queuedBytes(): number {
    return this.#socket.writableLength + (this.#codec?.unencodedBytes ?? 0);
  }

  startTls(tls: NsqTls): void {
    const plain = this.#socket;
    const host = this.#server.host;
    this.#socket = connectTls({
      ...tls,
      socket: plain,
      host,
      // An address is no server name: it is checked through `host` alone.
      ...(isIP(host) === 0 && tls.servername === undefined ? { servername: host } : {}),
    });
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk));
    this.#listenForEnd();
  }

  /** `received` are bytes that came in one piece with the server's consent and are compressed already. */
  startCompression(method: CompressionMethod, received: Buffer): void {
    const events: CodecEvents = {
      encoded: (bytes) => {
        if (!this.#isOver) this.#socket.write(bytes);
      },
      decoded: (bytes) => {
        if (!this.#isOver) this.#events.received(bytes);
      },
      failed: (reason) => {
        if (!this.#isOver) this.#events.garbled(reason);
      },
    };
    this.#codec = method.kind === 'snappy' ? new SnappyCodec(events) : new DeflateCodec(method.level, events);
    if (received.length > 0) this.#codec.decode(received);
  }

  destroy(): void {
    this.#isOver = true;
    this.#socket.destroy();
    this.#codec?.close();
  }

  /** Resolves when the socket is closed. */
  async closed(): Promise<void> {
    const socket = this.#socket;
    if (!socket.closed) await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  }

  #listenForEnd(): void {
    const socket = this.#socket;
    socket.on('error', (error) => this.#end(error));
    // Does not wait for `close`: with bytes still to be written to a server that is gone, that can take minutes.
    socket.on('end', () => this.#end(undefined));
    socket.on('close', () => this.#end(undefined));
  }

  /** Always true: read on. */
  #readInPlace(bytes: number): true {
    const chunk = this.#readBuffer.subarray(0, bytes);
    // To be unpacked later, it needs bytes of its own.
    this.#read(this.#codec === undefined ? chunk : Buffer.from(chunk));
    return true;
  }

  #read(chunk: Buffer): void {
    if (this.#isOver) return;
    const codec = this.#codec;
    if (codec === undefined) {
      this.#events.received(chunk);
      return;
    }
    codec.decode(chunk);
    if (codec.undecodedBytes <= MAX_UNDECODED_BYTES) return;
    const socket = this.#socket;
    socket.pause();
    codec.afterDecoding(() => socket.resume());
  }

  /** The reason for the end may be in bytes that are still being unpacked: they are told first. */
  #end(error: Error | undefined): void {
    const tell = () => {
      if (!this.#isOver) this.#events.over(error);
    };
    if (this.#isOver || this.#codec === undefined) tell();
    else this.#codec.afterDecoding(tell);
  }
}

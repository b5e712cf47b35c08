import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { Codec, CodecEvents } from '../../src/shared/nsq-tcp/codec.js';
import { DeflateCodec } from '../../src/shared/nsq-tcp/deflate-codec.js';
import { SnappyCodec } from '../../src/shared/nsq-tcp/snappy-codec.js';
import { nsqFrame, OK_FRAME } from './scripted-nsqd.js';

/** The server's side of a compressed connection. */
export interface CompressedLink {
  /** Which connection it is, from 0. */
  readonly connection: number;
  /** Sends bytes, compressed. */
  send(bytes: Buffer): void;
  /** Sends bytes, compressed, and closes the connection right behind them. */
  sendLast(bytes: Buffer): void;
  /** Sends bytes as they are, where compressed ones are due. */
  sendRaw(bytes: Buffer): void;
}

/**
 * A server that agrees on compression as nsqd does, but gives the compressed OK in one packet with the answer to
 * IDENTIFY. For every command after that, read by its first word, `onCommand` is called.
 */
export async function startCompressedNsqd(
  test: Pick<TestContext, 'after'>,
  kind: 'deflate' | 'snappy',
  onCommand: (command: string, link: CompressedLink) => void,
): Promise<{ readonly address: string }> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    talk(socket, kind, connections++, onCommand);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the compressed nsqd has no port');
  test.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { address: `127.0.0.1:${bound.port}` };
}

function talk(
  socket: Socket,
  kind: 'deflate' | 'snappy',
  connection: number,
  onCommand: (command: string, link: CompressedLink) => void,
): void {
  let ahead = nsqFrame(0, JSON.stringify({ deflate: kind === 'deflate', snappy: kind === 'snappy' }));
  let isLast = false;
  let codec: Codec | undefined;
  const link: CompressedLink = {
    connection,
    send: (bytes) => {
      codec?.encode(bytes);
      codec?.flush();
    },
    sendLast: (bytes) => {
      isLast = true;
      link.send(bytes);
    },
    sendRaw: (bytes) => void socket.write(bytes),
  };
  const events: CodecEvents = {
    encoded: (bytes) => {
      const packet = Buffer.concat([ahead, bytes]);
      // The identifier of a Snappy stream alone is not the OK.
      if (ahead.length > 0 && kind === 'snappy' && bytes.length === 10) {
        ahead = packet;
        return;
      }
      ahead = Buffer.alloc(0);
      if (isLast) socket.end(packet);
      else socket.write(packet);
    },
    decoded: (bytes) => onCommand(bytes.toString('latin1').split(/[ \n]/, 1)[0] ?? '', link),
    failed: (reason) => socket.destroy(new Error(reason)),
  };
  socket.on('data', (chunk: Buffer) => {
    if (codec !== undefined) {
      codec.decode(chunk);
      return;
    }
    codec = kind === 'snappy' ? new SnappyCodec(events) : new DeflateCodec(6, events);
    link.send(OK_FRAME);
  });
  socket.on('close', () => codec?.close());
}

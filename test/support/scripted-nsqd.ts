import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** A command as a scripted nsqd read it. */
export interface SeenCommand {
  readonly name: string;
  readonly topic: string;
  /** Of a PUB or MPUB, as text. */
  readonly messages: readonly string[];
  /** How many connections came before the one that it came on. */
  readonly connection: number;
}

export interface ScriptedNsqd {
  readonly address: string;
  readonly port: number;
  /** PUB, MPUB and NOP that came, oldest first. */
  readonly seen: readonly SeenCommand[];
  readonly connections: number;
  readonly openConnections: number;
}

export interface Script {
  /** Called for a new connection before anything is read; false: what comes is dropped, nothing is answered. */
  onConnection?(socket: Socket, connection: number): boolean;
  /** Called for PUB, MPUB and NOP. */
  onCommand?(command: SeenCommand, socket: Socket): void;
}

/** The bytes of a frame as nsqd sends them. */
export function nsqFrame(type: number, data: string): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + Buffer.byteLength(data), 0);
  head.writeInt32BE(type, 4);
  return Buffer.concat([head, Buffer.from(data)]);
}

export const OK_FRAME = nsqFrame(0, 'OK');
export const HEARTBEAT_FRAME = nsqFrame(0, '_heartbeat_');

/** Answers as an nsqd that takes everything. */
export function answerOk(command: SeenCommand, socket: Socket): void {
  if (command.name !== 'NOP') socket.write(OK_FRAME);
}

/** A server that shakes hands like nsqd and does with commands what the script says: for what a real one never does. */
export async function startScriptedNsqd(
  test: Pick<TestContext, 'after'>,
  script: Script,
): Promise<ScriptedNsqd> {
  const seen: SeenCommand[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    const connection = connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // The other side may be gone at any moment: that is what these tests are about.
    socket.on('error', () => {});
    if (script.onConnection?.(socket, connection) === false) {
      // Read and dropped, as an unread socket would not notice its end.
      socket.resume();
      return;
    }
    readCommands(socket, (command) => {
      if (command.name === 'IDENTIFY') {
        socket.write(nsqFrame(0, '{"tls_v1":false,"auth_required":false}'));
        return;
      }
      const full = { ...command, connection };
      seen.push(full);
      script.onCommand?.(full, socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the scripted nsqd has no port');
  test.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    address: `127.0.0.1:${bound.port}`,
    port: bound.port,
    seen,
    get connections() {
      return connections;
    },
    get openConnections() {
      return sockets.size;
    },
  };
}

type ReadCommand = Omit<SeenCommand, 'connection'>;

function readCommands(socket: Socket, onCommand: (command: ReadCommand) => void): void {
  let held = Buffer.alloc(0);
  let magicIsRead = false;
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    if (!magicIsRead) {
      if (held.length < 4) return;
      held = held.subarray(4);
      magicIsRead = true;
    }
    for (let cut = cutCommand(held); cut !== undefined && !socket.destroyed; cut = cutCommand(held)) {
      held = held.subarray(cut.end);
      onCommand(cut.command);
    }
  });
}

function cutCommand(bytes: Buffer): { command: ReadCommand; end: number } | undefined {
  const lineEnd = bytes.indexOf('\n');
  if (lineEnd === -1) return undefined;
  const [name = '', topic = ''] = bytes.toString('latin1', 0, lineEnd).split(' ');
  if (name === 'NOP') return { command: { name, topic, messages: [] }, end: lineEnd + 1 };
  if (bytes.length < lineEnd + 5) return undefined;
  const bodyAt = lineEnd + 5;
  const end = bodyAt + bytes.readUInt32BE(lineEnd + 1);
  if (bytes.length < end) return undefined;
  const body = bytes.subarray(bodyAt, end);
  return { command: { name, topic, messages: name === 'MPUB' ? cutMessages(body) : [body.toString()] }, end };
}

function cutMessages(body: Buffer): string[] {
  const messages: string[] = [];
  let at = 4;
  while (at < body.length) {
    const size = body.readUInt32BE(at);
    messages.push(body.toString('utf8', at + 4, at + 4 + size));
    at += 4 + size;
  }
  if (messages.length !== body.readUInt32BE(0)) throw new Error('an MPUB with a wrong number of messages');
  return messages;
}

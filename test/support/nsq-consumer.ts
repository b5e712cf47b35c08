import { once } from 'node:events';
import { connect } from 'node:net';

/** A client that takes messages of a topic off an nsqd and finishes each at once. */
export interface TopicConsumer {
  /** What came so far, oldest first; grows. */
  readonly received: readonly Buffer[];
  stop(): Promise<void>;
}

/** Larger than any message of a test, so that a wrong size does not fill the memory. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024;
const MESSAGE_FRAME = 2;
const ERROR_FRAME = 1;
/** In a message frame: size, type, timestamp and attempts come before the id. */
const ID_AT = 18;
const ID_BYTES = 16;

/** Subscribes to a channel of a topic and resolves when nsqd has taken the subscription. */
export async function consumeTopic(address: string, topic: string, channel: string): Promise<TopicConsumer> {
  const [host, port] = address.split(':');
  const socket = connect(Number(port), host);
  await once(socket, 'connect');
  const received: Buffer[] = [];
  let held = Buffer.alloc(0);
  /** To IDENTIFY and SUB. */
  let answers = 0;
  const subscribed = new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`nsqd ${address} closed the consumer of topic ${topic}`)));
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      for (let frame = cutFrame(); frame !== undefined; frame = cutFrame()) {
        const type = frame.readInt32BE(4);
        if (type === ERROR_FRAME) reject(new Error(`nsqd ${address}: ${frame.toString('utf8', 8)}`));
        else if (type === MESSAGE_FRAME) takeMessage(frame);
        else if (frame.toString('latin1', 8) === '_heartbeat_') socket.write('NOP\n');
        else if (++answers === 2) resolve();
      }
    });
  });

  function cutFrame(): Buffer | undefined {
    if (held.length < 8) return undefined;
    const end = 4 + held.readInt32BE(0);
    if (end < 8 || end > MAX_FRAME_BYTES) throw new Error(`a frame of ${end} bytes from nsqd ${address}`);
    if (held.length < end) return undefined;
    const frame = held.subarray(0, end);
    held = held.subarray(end);
    return frame;
  }

  function takeMessage(frame: Buffer): void {
    received.push(Buffer.from(frame.subarray(ID_AT + ID_BYTES)));
    socket.write(`FIN ${frame.toString('latin1', ID_AT, ID_AT + ID_BYTES)}\n`);
  }

  // Unbuffered: by default nsqd holds messages back for a quarter of a second.
  const identity = JSON.stringify({ output_buffer_size: -1, heartbeat_interval: 30_000 });
  const size = Buffer.alloc(4);
  size.writeUInt32BE(identity.length);
  socket.write(Buffer.concat([Buffer.from('  V2IDENTIFY\n'), size, Buffer.from(identity)]));
  socket.write(`SUB ${topic} ${channel}\nRDY 1000\n`);
  await subscribed;
  return {
    received,
    stop: async () => {
      if (socket.closed) return;
      const closed = once(socket, 'close');
      socket.destroy();
      await closed;
    },
  };
}

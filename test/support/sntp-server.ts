import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { TestContext } from 'node:test';

const NTP_TO_UNIX_SECONDS = 2_208_988_800;

/** How an answer differs from a good one. */
export interface SntpAnswer {
  /** Of the server's clock from this host's, in seconds. */
  readonly offset?: number;
  readonly stratum?: number;
  readonly mode?: number;
  readonly leap?: number;
  /** Four letters in place of the reference, as in a kiss-of-death. */
  readonly reference?: string;
  /** Seconds. */
  readonly rootDelay?: number;
  /** True: something else than what was asked with comes back. */
  readonly forged?: boolean;
  readonly withoutTime?: boolean;
  /** Bytes of the packet, cut off. */
  readonly length?: number;
  readonly silent?: boolean;
}

/** A real NTP server on the loopback address; `answers` are given one after another, the last one again and again. */
export class SntpServer {
  readonly questions: Buffer[] = [];
  answers: readonly SntpAnswer[] = [{}];
  readonly #socket = createSocket('udp4');

  static async start(
    test: Pick<TestContext, 'after'>,
    ...answers: readonly SntpAnswer[]
  ): Promise<SntpServer> {
    const server = new SntpServer();
    if (answers.length > 0) server.answers = answers;
    server.#socket.bind(0, '127.0.0.1');
    await once(server.#socket, 'listening');
    test.after(() => void server.#socket.close());
    return server;
  }

  private constructor() {
    this.#socket.on('message', (question, { port, address }) => {
      const answer = this.answers[Math.min(this.questions.length, this.answers.length - 1)] ?? {};
      this.questions.push(question);
      if (!answer.silent) this.#socket.send(packet(question, answer), port, address);
    });
  }

  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }
}

function packet(question: Buffer, answer: SntpAnswer): Buffer {
  const bytes = Buffer.alloc(48);
  bytes[0] = ((answer.leap ?? 0) << 6) | (4 << 3) | (answer.mode ?? 4);
  bytes[1] = answer.stratum ?? 2;
  bytes.writeInt32BE(Math.round((answer.rootDelay ?? 0.01) * 65_536), 4);
  bytes.writeUInt32BE(655, 8);
  bytes.write(answer.reference ?? 'GPS ', 12, 'latin1');
  question.copy(bytes, 24, 40, 48);
  if (answer.forged) bytes.writeUInt32BE(0, 24);
  const seconds = Date.now() / 1000 + (answer.offset ?? 0);
  writeTime(bytes, 32, seconds);
  if (!answer.withoutTime) writeTime(bytes, 40, seconds);
  return bytes.subarray(0, answer.length ?? 48);
}

function writeTime(bytes: Buffer, place: number, unixSeconds: number): void {
  const whole = Math.floor(unixSeconds);
  bytes.writeUInt32BE((whole + NTP_TO_UNIX_SECONDS) % 2 ** 32, place);
  bytes.writeUInt32BE(Math.floor((unixSeconds - whole) * 2 ** 32), place + 4);
}

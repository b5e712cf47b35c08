/**
 * Load generator: posts the same metrics again and again over keep-alive connections, each waiting for its answer
 * before the next post. A process of its own, so that it does not slow down what measures it.
 * Arguments: port, connections, metrics a post, seconds. Prints one line of JSON, a `LoadResult`.
 */
import { connect, type Socket } from 'node:net';
import { metricsBody } from './metrics-body.js';
import { quantile } from './quantile.js';

export interface LoadResult {
  readonly posts: number;
  readonly refused: number;
  readonly seconds: number;
  readonly medianMs: number;
  readonly p99Ms: number;
}

const [port = 0, connections = 1, metrics = 1, seconds = 1] = process.argv.slice(2).map(Number);
const HEAD_END = '\r\n\r\n';

const body = metricsBody(metrics);
const request = Buffer.concat([
  Buffer.from(
    `POST /post?ns=bench.local HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}${HEAD_END}`,
  ),
  body,
]);

const answerTimesMs: number[] = [];
let refused = 0;
const startedAt = performance.now();
const endAt = startedAt + seconds * 1000;
await Promise.all(Array.from({ length: connections }, postUntilEnd));

const result: LoadResult = {
  posts: answerTimesMs.length,
  refused,
  seconds: (performance.now() - startedAt) / 1000,
  medianMs: quantile(answerTimesMs, 0.5),
  p99Ms: quantile(answerTimesMs, 0.99),
};
process.stdout.write(`${JSON.stringify(result)}\n`);

async function postUntilEnd(): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  await new Promise<void>((resolve, reject) => {
    let sentAt = 0;
    let received = '';
    const send = () => {
      sentAt = performance.now();
      socket.write(request);
    };
    socket.on('connect', send);
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      const status = completeStatus(received);
      if (status === undefined) return;
      received = '';
      if (status === 200) answerTimesMs.push(performance.now() - sentAt);
      else refused += 1;
      if (performance.now() < endAt) send();
      else resolve(end(socket));
    });
  });
}

/** The status of a complete answer; undefined while some of it is missing. */
function completeStatus(received: string): number | undefined {
  const headEnd = received.indexOf(HEAD_END);
  if (headEnd === -1) return undefined;
  const length = Number(/content-length: *(\d+)/i.exec(received)?.[1] ?? 0);
  return received.length >= headEnd + HEAD_END.length + length ? Number(received.slice(9, 12)) : undefined;
}

function end(socket: Socket): void {
  socket.destroy();
}

/**
 * Compares nsq-tcp with nsqjs, if that is in the folder NSQJS_FOLDER, in one run against one real nsqd.
 * `test/bench/compare` installs it and runs this.
 *
 * Every publisher is measured in a process of its own (nsq-tcp-load.ts), taking turns, several rounds of each; the
 * median of the rounds counts. CPU is that of the publisher's process; nsqd has the rest of the machine.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startNsqd } from '../support/nsqd.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { addFigures, keep, say } from './figures.js';
import type { LoadFigures, LoadOrder } from './nsq-tcp-load.js';
import { quantile } from './quantile.js';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 3);
const NSQJS_FOLDER = process.env.NSQJS_FOLDER ?? '';

const SCENES: readonly (Pick<LoadOrder, 'messageBytes' | 'publishers'> & { readonly name: string })[] = [
  { name: '1 publisher, 200 bytes, each waits for its answer', publishers: 1, messageBytes: 200 },
  { name: '64 publishers, 200 bytes', publishers: 64, messageBytes: 200 },
  { name: '1,000 publishers, 200 bytes', publishers: 1_000, messageBytes: 200 },
  { name: '16 publishers, 100,000 bytes', publishers: 16, messageBytes: 100_000 },
];

const COLUMNS: readonly (readonly [title: string, value: (figures: LoadFigures) => number])[] = [
  ['publishes/s', (figures) => figures.publishes / figures.seconds],
  ['CPU µs/publish', (figures) => (figures.cpuSeconds * 1e6) / figures.publishes],
  ['median ms', (figures) => figures.medianMs],
  ['p99 ms', (figures) => figures.p99Ms],
];

const hasNsqjs = existsSync(join(NSQJS_FOLDER, 'node_modules/nsqjs/package.json'));
const clients = ['nsq-tcp', 'nsq-tcp deflate', 'nsq-tcp snappy', ...(hasNsqjs ? ['nsqjs'] : [])] as const;
const afterwards: (() => unknown)[] = [];

try {
  if (!hasNsqjs) say(`nsqjs is not in ${NSQJS_FOLDER} (NSQJS_FOLDER): its column is left out`);
  for (const scene of SCENES) await compare(scene);
  addFigures();
} finally {
  for (const release of afterwards.reverse()) await release();
}

async function compare(scene: (typeof SCENES)[number]): Promise<void> {
  const rounds = new Map<string, LoadFigures[]>(clients.map((client) => [client, []]));
  const nsqd = await startNsqd({ after: (release: () => unknown) => void afterwards.push(release) });
  for (let round = 0; round < ROUNDS; round++) {
    for (const client of clients) {
      say(`${scene.name}: ${client}, round ${round + 1} of ${ROUNDS}`);
      const figures = await load({ ...scene, client, address: nsqd.tcpAddress, seconds: SECONDS });
      rounds.get(client)?.push(figures);
    }
  }
  await nsqd.stop();
  print(scene.name, rounds);
}

async function load(order: Omit<LoadOrder, 'nsqjsFolder'>): Promise<LoadFigures> {
  const child = fork(join(PROJECT_ROOT, 'dist/test/bench/nsq-tcp-load.js'), { stdio: 'inherit' });
  afterwards.push(() => child.kill('SIGKILL'));
  const answered = Promise.race([
    once(child, 'message').then(([figures]) => figures as LoadFigures),
    once(child, 'exit').then(() => Promise.reject(new Error(`the load of ${order.client} ended early`))),
  ]);
  child.send({ ...order, nsqjsFolder: NSQJS_FOLDER } satisfies LoadOrder);
  const figures = await answered;
  if (child.exitCode === null) await once(child, 'exit');
  return figures;
}

function print(name: string, rounds: ReadonlyMap<string, readonly LoadFigures[]>): void {
  const lines = [['', ...COLUMNS.map(([title]) => title)]];
  const reference = COLUMNS.map(([, value]) => median(rounds.get('nsqjs') ?? [], value));
  for (const [client, figures] of rounds) {
    const cells = COLUMNS.map(([title, value], at) => {
      const own = median(figures, value);
      keep(`${client}, ${name}`, own, title);
      const ratio = hasNsqjs && client !== 'nsqjs' ? ` (${(own / (reference[at] ?? 0)).toFixed(2)}x)` : '';
      return `${own >= 100 ? Math.round(own) : own.toFixed(3)}${ratio}`;
    });
    lines.push([client, ...cells]);
  }
  const table = lines.map(
    ([first = '', ...cells]) => first.padEnd(18) + cells.map((cell) => cell.padStart(22)).join(''),
  );
  const note = hasNsqjs ? ' (in brackets: times the figure of nsqjs)' : '';
  process.stdout.write(`\n${name}${note}\n${table.join('\n')}\n`);
}

function median(figures: readonly LoadFigures[], value: (figures: LoadFigures) => number): number {
  return quantile(figures.map(value), 0.5);
}

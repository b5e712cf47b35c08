/** Golang output plugins: what the host costs beside the plugin itself. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { encodeMetrics } from '../../src/shared/points-document.js';
import { EventEncoder } from '../../src/workers/output-host/event-encoder.js';
import { ChunkCollector } from '../../src/workers/publisher/outputs/go/chunk-collector.js';
import { GoOutput } from '../../src/workers/publisher/outputs/go/go-output.js';
import { OutputHosts } from '../../src/workers/publisher/outputs/go/output-hosts.js';
import { goSettings } from '../support/go-feed.js';
import { builtGoOutput, goSkipReason } from '../support/go-outputs.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { recordingLog } from '../support/recording-log.js';
import { waitUntil } from '../support/wait-until.js';
import { note, say } from './figures.js';
import { cpuSeconds, residentMiB } from './process-usage.js';

/** As a runner writes them: about 150 bytes of JSON a point. */
const EVENTS = 5000;

/** Documents under way, so that the host never waits for more. */
const UNDER_WAY = 16;

/** Compared side by side; of several rounds the middle one counts, for a ratio the round with the middle ratio. */
const ROUNDS = 5;

/** Go's own setting of its garbage collector, and the one that the host makes by itself. */
const GO_DEFAULT_GOGC = '100';
const HOST_GOGC = '400';

type Mode = 'count' | 'bytes';

interface Speed {
  readonly eventsPerSecond: number;
  /** Processor seconds for a million events: of the process that holds the library. */
  readonly cpu: number;
}

/** Measures every way of bringing events to a plugin that decodes them, and to one that counts bytes. */
export async function benchGoOutputs(seconds: number): Promise<void> {
  say('Golang output plugins');
  if (goSkipReason) {
    say(`  left out: ${goSkipReason}`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'agent-bench-go-'));
  try {
    const bench = prepare(folder, seconds);
    await compareCounting(bench);
    const byDefault = await compareDecoding(bench, GO_DEFAULT_GOGC);
    const asHosted = await compareDecoding(bench, HOST_GOGC);
    tellRatio(
      `decodes, host as it comes (GOGC=${HOST_GOGC}) against C driver as it comes (GOGC=${GO_DEFAULT_GOGC})`,
      asHosted.map(
        ({ host }, round) => host.eventsPerSecond / (byDefault[round]?.driver.eventsPerSecond ?? 0),
      ),
    );
    tell('counts bytes, host, 4 instances', await throughHost(bench, 'bytes', 4, {}));
    tell('decodes, host, 4 instances', await throughHost(bench, 'count', 4, {}));
    await benchIdleHost(bench);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Bench {
  readonly library: string;
  readonly driver: string;
  readonly document: Buffer;
  /** Documents that the publisher puts into a chunk: each way flushes the same at once. */
  readonly documents: number;
  readonly documentFile: string;
  readonly chunkFile: string;
  readonly seconds: number;
}

function prepare(folder: string, seconds: number): Bench {
  const metrics = Array.from({ length: EVENTS }, (_, n) => ({
    name: `cpu.usage.${n % 20}`,
    value: n * 1.5,
    timestamp: 1_700_000_000 + n,
    tags: { core: String(n % 16), state: 'user' },
  }));
  const settings = {
    database: 'bench.shop',
    measurementPrefix: 'PLUGIN.',
    host: 'host-001.example.com',
    maxBytes: 2 ** 24,
  };
  const document = Buffer.from(encodeMetrics(metrics, settings, 0).documents[0]?.text ?? '');
  const form = { namespace: 'bench.shop', format: 'nested' } as const;
  const documents = documentsOfChunk(document);
  const [chunk] = new EventEncoder().encode(
    Buffer.concat(Array.from({ length: documents }, () => document)),
    Array.from({ length: documents }, () => document.length),
    form,
    0,
  );
  const files = {
    documentFile: join(folder, 'document'),
    chunkFile: join(folder, 'chunk'),
    driver: join(folder, 'go-driver'),
  };
  writeFileSync(files.documentFile, document);
  writeFileSync(files.chunkFile, chunk?.bytes ?? '');
  const source = join(PROJECT_ROOT, 'test', 'bench', 'go-driver.c');
  execFileSync('gcc', ['-O2', source, '-o', files.driver, '-ldl'], { stdio: 'inherit' });
  return { ...files, document, documents, library: builtGoOutput('behaves'), seconds };
}

function documentsOfChunk(document: Buffer): number {
  let documents = 0;
  const collector = new ChunkCollector(60_000, ({ records }) => {
    documents = records.length;
  });
  const record = { namespace: 'bench.shop', points: EVENTS, document };
  while (documents === 0) collector.add('bench.shop', record, () => undefined);
  collector.drop();
  return documents;
}

interface Round {
  readonly driver: Speed;
  readonly direct: Speed;
  readonly host: Speed;
}

/** A driver from C has nothing to do for a plugin that looks at a length, so its speed says nothing here. */
async function compareCounting(bench: Bench): Promise<void> {
  tellRounds('counts bytes', await measureRounds(bench, 'bytes', {}));
}

async function compareDecoding(bench: Bench, garbagePercent: string): Promise<readonly Round[]> {
  const name = `decodes, GOGC=${garbagePercent}`;
  const rounds = await measureRounds(bench, 'count', { GOGC: garbagePercent });
  tell(`${name}, C driver`, middle(rounds.map(({ driver }) => driver)));
  tellRounds(name, rounds);
  tellRatio(
    `${name}, host against C driver`,
    rounds.map(({ driver, host }) => host.eventsPerSecond / driver.eventsPerSecond),
  );
  return rounds;
}

/** The C driver, the library in one process with its host's code, and the host: in turn. */
async function measureRounds(
  bench: Bench,
  mode: Mode,
  environment: Readonly<Record<string, string>>,
): Promise<readonly Round[]> {
  const { library, documents, documentFile, chunkFile } = bench;
  const perFlush = EVENTS * documents;
  const direct = [DIRECT_FILE, library, mode, documentFile, String(documents)];
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    rounds.push({
      driver: driven(bench.driver, [library, mode, chunkFile, String(perFlush)], bench, environment),
      direct: driven(process.execPath, [...direct, String(perFlush)], bench, environment),
      host: await throughHost(bench, mode, 1, environment),
    });
  }
  return rounds;
}

function tellRounds(name: string, rounds: readonly Round[]): void {
  tell(`${name}, one process`, middle(rounds.map(({ direct }) => direct)));
  tell(`${name}, host`, middle(rounds.map(({ host }) => host)));
  tellRatio(
    `${name}, host against one process`,
    rounds.map(({ direct, host }) => host.eventsPerSecond / direct.eventsPerSecond),
  );
  note(
    `go output: ${name}, own part of the host`,
    round3(middleNumber(rounds.map(({ driver, host }) => host.cpu - driver.cpu))),
    'CPU s per million events',
  );
}

function tellRatio(name: string, ratios: readonly number[]): void {
  note(`go output: ${name}`, round3(middleNumber(ratios)), '× events/s');
}

const DIRECT_FILE = fileURLToPath(new URL('./go-direct.js', import.meta.url));

function driven(
  program: string,
  args: readonly string[],
  { seconds }: Bench,
  environment: Readonly<Record<string, string>>,
): Speed {
  const result = spawnSync(program, [...args, String(seconds)], {
    env: { ...process.env, ...environment },
    encoding: 'utf8',
  });
  const [eventsPerSecond, cpu] = result.stdout.trim().split(' ').map(Number);
  if (!eventsPerSecond || cpu === undefined) throw new Error(`${program}: ${result.stderr}`);
  return { eventsPerSecond, cpu };
}

async function throughHost(
  bench: Bench,
  mode: Mode,
  instances: number,
  hostEnvironment: Readonly<Record<string, string>>,
): Promise<Speed> {
  const hosts = new OutputHosts(recordingLog().log);
  const outputs = Array.from({ length: instances }, (_, n) =>
    open(bench, hosts, `bench${n}`, mode, hostEnvironment),
  );
  await waitUntil('all are up', () => outputs.every((output) => output.state().isUp));
  const pid = Number(outputs[0]?.state().plugin?.pid);
  let events = 0;
  let isOver = false;
  let onSettled = (): void => undefined;
  const send = (output: GoOutput): void => {
    if (isOver) return;
    output.deliver({ namespace: 'bench.shop', points: EVENTS, document: bench.document }, () => {
      events += EVENTS;
      onSettled();
      send(output);
    });
  };
  // Read when something is settled, so that a chunk counts whole or not at all.
  const reading = (): Promise<Reading> =>
    new Promise((resolve) => {
      onSettled = () => {
        onSettled = () => undefined;
        resolve({ events, cpu: cpuSeconds(pid), at: performance.now() });
      };
    });
  for (const output of outputs) for (let n = 0; n < UNDER_WAY; n += 1) send(output);
  await sleep(500);
  const before = await reading();
  await sleep(bench.seconds * 1000);
  const after = await reading();
  isOver = true;
  await Promise.all(outputs.map((output) => output.drain()));
  await Promise.all(outputs.map((output) => output.close()));
  const count = after.events - before.events;
  return {
    eventsPerSecond: (count / (after.at - before.at)) * 1000,
    cpu: ((after.cpu - before.cpu) / count) * 1e6,
  };
}

interface Reading {
  readonly events: number;
  readonly cpu: number;
  readonly at: number;
}

function open(
  { library }: Bench,
  hosts: OutputHosts,
  alias: string,
  mode: Mode,
  hostEnvironment: Readonly<Record<string, string>>,
): GoOutput {
  const settings = {
    ...goSettings(alias),
    library,
    flushMs: 1000,
    properties: [['mode', mode] as const],
    hostEnvironment,
  };
  return new GoOutput(alias, settings, hosts, recordingLog().log);
}

async function benchIdleHost(bench: Bench): Promise<void> {
  const output = open(bench, new OutputHosts(recordingLog().log), 'idle', 'bytes', {});
  await waitUntil('it is up', () => output.state().isUp);
  await sleep(1000);
  note('go output: idle host', round3(residentMiB(Number(output.state().plugin?.pid))), 'MiB');
  await output.close();
}

function tell(name: string, { eventsPerSecond, cpu }: Speed): void {
  note(`go output: ${name}`, Math.round(eventsPerSecond), 'events/s');
  note(`go output: ${name}, processor`, round3(cpu), 'CPU s per million events');
}

function middle(speeds: readonly Speed[]): Speed {
  const sorted = [...speeds].sort((one, other) => one.eventsPerSecond - other.eventsPerSecond);
  const found = sorted[Math.floor(sorted.length / 2)];
  if (!found) throw new Error('nothing was measured');
  return found;
}

function middleNumber(numbers: readonly number[]): number {
  return [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

function round3(value: number): number {
  return Math.round(value * 1000) / 1000;
}

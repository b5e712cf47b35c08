/**
 * Compares the spool's store with LMDB, which is in the folder LMDB_FOLDER, side by side. The argument, if any, is the
 * folder to write in. `test/bench/compare` installs LMDB and runs this.
 *
 * Every measurement is taken in turns, three times each, and the median counts. `BENCH_MIB` is how much is written
 * for the throughput (256), `BENCH_BACKLOG_MIB` the backlog for opening (1024).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addFigures, keep } from './figures.js';
import { quantile } from './quantile.js';
import {
  bytesOnDisk,
  CANDIDATES,
  type Candidate,
  type CandidateName,
  DOCUMENT_BYTES,
  EXAMPLE,
  largestFile,
  openCandidate,
} from './spool-candidates.js';

const MIB = 2 ** 20;
const ROUNDS = 3;
const GROUP = 64;
const IN_FLIGHT = 4;
const SINGLE_COMMITS = 200;
const WRITTEN_MIB = Number(process.env.BENCH_MIB ?? 256);
const BACKLOG_MIB = Number(process.env.BENCH_BACKLOG_MIB ?? 1024);

type Measure = (name: CandidateName, folder: string) => Promise<number>;

const parent = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'agent-bench-spool-'));
let folders = 0;

try {
  print('', 'spool', 'LMDB', '', 'spool is');
  await compare('append, durable, 4 groups of 64 in flight', 'MiB/s', 'more', (name, folder) =>
    appendThroughput(name, folder, true),
  );
  await compare('append, not synced', 'MiB/s', 'more', (name, folder) =>
    appendThroughput(name, folder, false),
  );
  await compare('append, durable: processor time', 'ms/MiB', 'less', appendCost);
  await compare('one document, durable: median', 'ms', 'less', (name, folder) => latency(name, folder, 0.5));
  await compare('one document, durable: p99', 'ms', 'less', (name, folder) => latency(name, folder, 0.99));
  await compare('read and acknowledge all', 'MiB/s', 'more', (name, folder) => drainThroughput(name, folder));
  await compare('on disk after that', 'MiB', 'less', (name, folder) => spaceAfterDrain(name, folder));
  await compare(`open ${BACKLOG_MIB} MiB and read the first`, 'ms', 'less', openTime);
  for (const name of CANDIDATES) await sayDamaged(name, 'file cut at 60 %', cut);
  for (const name of CANDIDATES) await sayDamaged(name, 'one byte changed in the middle', changeByte);
  addFigures();
} finally {
  rmSync(parent, { recursive: true, force: true });
}

/** Takes turns, so that what else the machine does hits both alike. */
async function compare(what: string, unit: string, better: 'more' | 'less', measure: Measure): Promise<void> {
  const results = { spool: [] as number[], lmdb: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of CANDIDATES) {
      const folder = newFolder();
      results[name].push(await measure(name, folder));
      rmSync(folder, { recursive: true, force: true });
    }
  }
  const spool = quantile(results.spool, 0.5);
  const lmdb = quantile(results.lmdb, 0.5);
  keep(`spool's store: ${what}`, spool, unit);
  keep(`LMDB: ${what}`, lmdb, unit);
  const ratio = better === 'more' ? spool / lmdb : lmdb / spool;
  print(what, rounded(spool), rounded(lmdb), unit, `${rounded(ratio)} times as good`);
}

async function appendThroughput(name: CandidateName, folder: string, isDurable: boolean): Promise<number> {
  const candidate = await openCandidate(name, folder, isDurable);
  const startedAt = performance.now();
  await fill(candidate, WRITTEN_MIB);
  const seconds = (performance.now() - startedAt) / 1000;
  await candidate.close();
  return WRITTEN_MIB / seconds;
}

async function appendCost(name: CandidateName, folder: string): Promise<number> {
  const candidate = await openCandidate(name, folder, true);
  const before = process.cpuUsage();
  await fill(candidate, WRITTEN_MIB);
  const { user, system } = process.cpuUsage(before);
  await candidate.close();
  return (user + system) / 1000 / WRITTEN_MIB;
}

async function latency(name: CandidateName, folder: string, part: number): Promise<number> {
  const candidate = await openCandidate(name, folder, true);
  const times: number[] = [];
  for (let commit = 0; commit < SINGLE_COMMITS; commit += 1) {
    const startedAt = performance.now();
    await candidate.append([EXAMPLE]);
    times.push(performance.now() - startedAt);
  }
  await candidate.close();
  return quantile(times, part);
}

async function drainThroughput(name: CandidateName, folder: string): Promise<number> {
  const candidate = await filled(name, folder, WRITTEN_MIB);
  const startedAt = performance.now();
  await candidate.drain();
  const seconds = (performance.now() - startedAt) / 1000;
  await candidate.close();
  return WRITTEN_MIB / seconds;
}

async function spaceAfterDrain(name: CandidateName, folder: string): Promise<number> {
  const candidate = await filled(name, folder, WRITTEN_MIB);
  await candidate.drain();
  await candidate.close();
  // Nothing at all cannot be compared.
  return Math.max(bytesOnDisk(folder) / MIB, 0.001);
}

async function openTime(name: CandidateName, folder: string): Promise<number> {
  await (await filled(name, folder, BACKLOG_MIB)).close();
  const startedAt = performance.now();
  const candidate = await openCandidate(name, folder, false);
  await candidate.readFirst();
  const time = performance.now() - startedAt;
  await candidate.close();
  return time;
}

/** Damages the largest file and looks what is still there. */
async function sayDamaged(name: CandidateName, what: string, damage: (file: string) => void): Promise<void> {
  const folder = newFolder();
  await (await filled(name, folder, 64)).close();
  damage(largestFile(folder));
  const reader = fileURLToPath(new URL('spool-damage-reader.js', import.meta.url));
  const { stdout, stderr, signal, status } = spawnSync(process.execPath, [reader, name, folder], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  const end = signal ? `the process was ended by ${signal}` : status === 0 ? '' : lastLine(stderr);
  const records = (64 * MIB) / DOCUMENT_BYTES;
  process.stdout.write(`${what}, ${name}: of ${records} records ${stdout.trim()}${end}\n`);
}

function cut(file: string): void {
  truncateSync(file, Math.floor(statSync(file).size * 0.6));
}

function changeByte(file: string): void {
  const bytes = readFileSync(file);
  const place = bytes.indexOf('a document', Math.floor(bytes.length / 2));
  bytes[place] = 'A'.charCodeAt(0);
  writeFileSync(file, bytes);
}

async function filled(name: CandidateName, folder: string, mib: number): Promise<Candidate> {
  const candidate = await openCandidate(name, folder, false);
  await fill(candidate, mib);
  return candidate;
}

async function fill(candidate: Candidate, mib: number): Promise<void> {
  const group = Array.from({ length: GROUP }, () => EXAMPLE);
  let left = Math.ceil((mib * MIB) / (GROUP * DOCUMENT_BYTES));
  const appendOnAndOn = async () => {
    while (left > 0) {
      left -= 1;
      await candidate.append(group);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, appendOnAndOn));
}

function newFolder(): string {
  folders += 1;
  return join(parent, String(folders));
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

function rounded(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

function print(what: string, spool: string, lmdb: string, unit: string, ratio: string): void {
  process.stdout.write(
    `${what.padEnd(46)} ${spool.padStart(9)} ${lmdb.padStart(9)} ${unit.padEnd(6)} ${ratio}\n`,
  );
}

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../src/shared/coded-error.js';
import { Spool } from '../../src/workers/publisher/spool/spool.js';
import type { SpoolEntry, SpoolRecord } from '../../src/workers/publisher/spool/spool-entry.js';
import { recordingLog } from '../support/recording-log.js';
import { randomFrom, SpoolModel } from './spool-model.js';

const MAX_BYTES = 1024 * 1024;
const NAMESPACES = ['web.shop', 'db', 'a-long.namespace-of.many-letters'];
const RECORD_HEADER_BYTES = 40;

/** A spool and its model, and the random steps that both take. */
export class ModelRun {
  lastAction = '';
  readonly done: Record<string, number> = {};
  readonly #parent: string;
  readonly #random: (below: number) => number;
  readonly #model = new SpoolModel();
  readonly #recorder = recordingLog();
  /** Bytes on disk of every record, by id. */
  readonly #sizes = new Map<number, number>();
  #folder: string;
  #generation = 0;
  #serial = 0;
  #spool: Spool | undefined;

  constructor(parent: string, seed: number) {
    this.#parent = parent;
    this.#random = randomFrom(seed);
    this.#folder = join(parent, 'spool-0');
  }

  get spool(): Spool {
    assert.ok(this.#spool);
    return this.#spool;
  }

  async open(): Promise<void> {
    this.#spool = await Spool.open({
      folder: this.#folder,
      maxBytes: MAX_BYTES,
      fsync:
        (['always', 'interval', 'never', 'never', 'never', 'never'] as const)[this.#random(6)] ?? 'never',
      log: this.#recorder.log,
      onDropped: (namespace, records, points, reason) =>
        this.#model.noteDropped({ namespace, records, points, reason }),
    });
  }

  async end(): Promise<void> {
    await this.#spool?.close();
  }

  async step(): Promise<void> {
    const action = this.#pick();
    this.lastAction = action.name;
    this.done[action.name] = (this.done[action.name] ?? 0) + 1;
    await action.run();
  }

  #pick(): { name: string; run: () => Promise<void> } {
    const dice = this.#random(1000);
    if (dice < 450) return { name: 'append', run: () => this.#append() };
    if (dice < 700) return { name: 'acknowledge', run: () => this.#acknowledge() };
    if (dice < 740) return { name: 'acknowledge the oldest', run: () => this.#acknowledgeOldest() };
    if (dice < 860) return { name: 'read on', run: () => this.#readOn() };
    if (dice < 910) return { name: 'read all', run: () => this.#compare() };
    if (dice < 930) return { name: 'close and open', run: () => this.#restart() };
    if (dice < 950) return { name: 'kill', run: () => this.#crash(() => new Set()) };
    if (dice < 965) return { name: 'kill while appending', run: () => this.#killWhileAppending() };
    if (dice < 975) return { name: 'cut the last file', run: () => this.#crash(() => this.#cutLast()) };
    if (dice < 990) return { name: 'flip bytes', run: () => this.#crash(() => this.#flip('.segment')) };
    return { name: 'flip acknowledgements', run: () => this.#crash(() => this.#flip('.acknowledged')) };
  }

  async #append(): Promise<void> {
    const records = this.#makeRecords();
    const given = records.map((record) => ({ ...record, document: Buffer.from(record.document) }));
    const stored = this.spool.append(given);
    for (const { document } of given) document.fill(0);
    const ids = await stored;
    this.#model.store(records, ids);
    for (const [number, id] of ids.entries()) this.#sizes.set(id, sizeOf(records[number]));
    this.#model.settleDropped();
    assert.ok(diskUse(this.#folder) <= MAX_BYTES, `${diskUse(this.#folder)} bytes on disk`);
    this.#compareStats();
  }

  async #acknowledge(): Promise<void> {
    const waiting = [...this.#model.waiting.keys()];
    const first = this.#random(waiting.length + 1);
    const ids = waiting.slice(first, first + this.#random(12)).filter(() => this.#random(4) > 0);
    this.#settle(this.#random(2) ? ids : ids.reverse());
  }

  async #acknowledgeOldest(): Promise<void> {
    this.#settle([...this.#model.waiting.keys()].slice(0, this.#random(200)));
  }

  #settle(ids: number[]): void {
    // Some twice, and some that never were.
    this.spool.acknowledge([...ids, ...ids.slice(0, 2), this.#random(1_000_000_000) + 1_000_000]);
    this.#model.acknowledge(ids);
    this.#compareStats();
  }

  async #readOn(): Promise<void> {
    const waiting = [...this.#model.waiting.keys()];
    const after = (waiting[this.#random(waiting.length + 1)] ?? 1) - this.#random(2);
    const most = 1 + this.#random(60_000);
    const entries = await this.spool.read(after, most);
    const expected = waiting.filter((id) => id > after).slice(0, entries.length);
    assert.deepEqual(
      entries.map(({ id }) => id),
      expected,
    );
    const bytes = entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    assert.ok(entries.length <= 1 || bytes <= most, `${bytes} bytes for ${most}`);
    if (waiting.some((id) => id > after)) assert.ok(entries.length > 0, 'at least one');
  }

  async #compare(): Promise<void> {
    this.#model.assertSame(await this.#readAll());
    this.#compareStats();
    let points = 0;
    for (const record of this.#model.waiting.values()) points += record.points;
    assert.equal(this.spool.stats().points, points);
  }

  async #restart(): Promise<void> {
    await this.spool.close();
    this.#model.closed();
    await this.open();
    this.#model.settleDropped();
    this.#compareStats();
    await this.#compare();
  }

  /** Takes the folder as it stands, damages it, and goes on with that. `damage` tells which records are lost. */
  async #crash(damage: () => ReadonlySet<number>): Promise<void> {
    const old = this.spool;
    const oldFolder = this.#takeCopy();
    const lost = damage();
    await old.close();
    rmSync(oldFolder, { recursive: true });
    await this.#reopenAndCompare(lost);
  }

  async #killWhileAppending(): Promise<void> {
    const old = this.spool;
    const records = this.#makeRecords();
    const sizeBefore = sizeOfLast(this.#folder);
    const appending = old.append(records).catch(() => {});
    for (let turns = this.#random(6); turns > 0; turns -= 1) await new Promise(setImmediate);
    const oldFolder = this.#takeCopy();
    const last = lastSegment(this.#folder);
    if (last && last.file === sizeBefore.file && last.size > sizeBefore.size) {
      const cut = sizeBefore.size + this.#random(last.size - sizeBefore.size + 1);
      writeFileSync(last.path, readFileSync(last.path).subarray(0, cut));
    }
    await appending;
    await old.close();
    rmSync(oldFolder, { recursive: true });
    this.#model.interrupted(records);
    // What the interrupted append pushed out is gone in the copy or not.
    this.#model.settleDropped();
    await this.#reopenAndCompare(new Set());
  }

  async #reopenAndCompare(lost: ReadonlySet<number>): Promise<void> {
    await this.open();
    const entries = await this.#readAll();
    this.#model.settleDamaged([]);
    this.#model.assertSurvived(entries, lost);
    for (const entry of entries) this.#sizes.set(entry.id, sizeOf(entry));
    await this.#compare();
  }

  /** Cuts the last file anywhere; lost are the records that do not end before. */
  #cutLast(): ReadonlySet<number> {
    const last = lastSegment(this.#folder);
    if (!last) return new Set();
    const cut = this.#random(last.size + 1);
    writeFileSync(last.path, readFileSync(last.path).subarray(0, cut));
    return this.#recordsOf(last.file, last.size, (_start, end) => end > cut);
  }

  /** Changes some bytes; lost are the records that they are in. */
  #flip(suffix: string): ReadonlySet<number> {
    const files = readdirSync(this.#folder).filter((file) => file.endsWith(suffix));
    const file = files[this.#random(files.length)];
    if (file === undefined) return new Set();
    const path = join(this.#folder, file);
    const bytes = readFileSync(path);
    if (bytes.length === 0) return new Set();
    const start = this.#random(bytes.length);
    const end = Math.min(bytes.length, start + 1 + this.#random(this.#random(2) ? 4 : 3000));
    for (let at = start; at < end; at += 1) bytes[at] = (bytes[at] ?? 0) ^ (1 + this.#random(255));
    writeFileSync(path, bytes);
    if (suffix !== '.segment') {
      this.#model.acknowledgementsDamaged();
      return new Set();
    }
    return this.#recordsOf(file, bytes.length, (from, to) => from < end && to > start);
  }

  /** The records of a file that lie where `test` says. */
  #recordsOf(file: string, size: number, test: (start: number, end: number) => boolean): Set<number> {
    const found = new Set<number>();
    const following = readdirSync(this.#folder).filter((other) => other.endsWith('.segment') && other > file);
    const endId = Number(following.sort()[0]?.slice(0, 16) ?? Number.MAX_SAFE_INTEGER);
    let position = 0;
    for (let id = Number(file.slice(0, 16)); position < size && id < endId; id += 1) {
      const bytes = this.#sizes.get(id);
      if (bytes === undefined) break;
      if (test(position, position + bytes)) found.add(id);
      position += bytes;
    }
    return found;
  }

  async #readAll(): Promise<SpoolEntry[]> {
    const all: SpoolEntry[] = [];
    for (;;) {
      const some = await this.spool.read(all.at(-1)?.id ?? 0, 1 + this.#random(200_000));
      if (some.length === 0) return all;
      all.push(...some);
    }
  }

  #compareStats(): void {
    const { records, oldestAt } = this.spool.stats();
    assert.equal(records, this.#model.waiting.size);
    assert.equal(oldestAt === undefined, records === 0);
  }

  #takeCopy(): string {
    const old = this.#folder;
    this.#generation += 1;
    this.#folder = join(this.#parent, `spool-${this.#generation}`);
    mkdirSync(this.#folder, { mode: 0o700 });
    for (const file of readdirSync(old)) copyWhereThere(join(old, file), join(this.#folder, file));
    return old;
  }

  #makeRecords(): SpoolRecord[] {
    const count = 1 + this.#random(this.#random(4) ? 4 : 30);
    return Array.from({ length: count }, () => {
      this.#serial += 1;
      const document = Buffer.alloc(this.#random(this.#random(3) ? 400 : 6000), `${this.#serial} `);
      const namespace = NAMESPACES[this.#random(NAMESPACES.length)] ?? '';
      return { namespace, points: this.#random(100), document };
    });
  }
}

/** The spool may remove a file in the middle of this. */
function copyWhereThere(from: string, to: string): void {
  try {
    copyFileSync(from, to);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

function sizeOf(record: SpoolRecord | undefined): number {
  return RECORD_HEADER_BYTES + Buffer.byteLength(record?.namespace ?? '') + (record?.document.length ?? 0);
}

function diskUse(folder: string): number {
  return readdirSync(folder).reduce((sum, file) => {
    const { size } = statSync(join(folder, file));
    return sum + Math.ceil(size / 4096) * 4096;
  }, 0);
}

function lastSegment(folder: string): { file: string; path: string; size: number } | undefined {
  const file = readdirSync(folder)
    .filter((name) => name.endsWith('.segment'))
    .sort()
    .at(-1);
  if (file === undefined) return undefined;
  const path = join(folder, file);
  return { file, path, size: statSync(path).size };
}

function sizeOfLast(folder: string): { file: string; size: number } {
  return lastSegment(folder) ?? { file: '', size: 0 };
}

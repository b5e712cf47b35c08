/** What a spool must hold, in the simplest form: compared with the real one by the model test. */
import assert from 'node:assert/strict';
import type { SpoolEntry, SpoolRecord } from '../../src/workers/publisher/spool/spool-entry.js';

export interface ModelRecord extends SpoolRecord {
  readonly id: number;
  /** The document's own copy, as the one given to the spool is overwritten. */
  readonly document: Buffer;
}

export interface Dropped {
  readonly namespace: string;
  readonly records: number;
  readonly points: number;
  readonly reason: string;
}

/** Numbers that look random and are the same for the same seed. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

export class SpoolModel {
  /** Stored and not acknowledged, by id, oldest first. */
  readonly waiting = new Map<number, ModelRecord>();
  /** Acknowledged since the spool was opened: a crash may bring them back. */
  readonly mayReturn = new Map<number, ModelRecord>();
  /** Acknowledged and written down: only damage to the acknowledgements brings them back. */
  readonly #forgotten = new Map<number, ModelRecord>();
  /** Records of appends that a crash interrupted: each may be there or not. Without ids. */
  #unconfirmed: readonly SpoolRecord[] = [];
  readonly #dropped: Dropped[] = [];

  store(records: readonly SpoolRecord[], ids: readonly number[]): void {
    for (const [number, record] of records.entries()) {
      const id = ids[number] ?? -1;
      this.waiting.set(id, { ...record, id });
      this.#forgotten.delete(id);
    }
  }

  interrupted(records: readonly SpoolRecord[]): void {
    this.#unconfirmed = records;
  }

  acknowledge(ids: readonly number[]): void {
    for (const id of ids) {
      const record = this.waiting.get(id);
      if (!record) continue;
      this.waiting.delete(id);
      this.mayReturn.set(id, record);
    }
  }

  noteDropped(dropped: Dropped): void {
    this.#dropped.push(dropped);
  }

  /** Takes the oldest records away, as many as were dropped, and checks that the spool counted just these. */
  settleDropped(): void {
    const told = this.#dropped.splice(0);
    const count = told.reduce((sum, { records }) => sum + records, 0);
    const oldest = [...this.waiting.values()].slice(0, count);
    for (const record of oldest) {
      this.waiting.delete(record.id);
      if (this.#unconfirmed.length > 0) this.mayReturn.set(record.id, record);
    }
    assert.deepEqual(byNamespace(told), byNamespace(oldest.map((record) => ({ ...record, records: 1 }))));
    for (const { reason } of told) assert.equal(reason, 'full');
  }

  /** What was dropped for damage, of the records with `ids`, which are taken away. */
  settleDamaged(ids: readonly number[]): void {
    for (const id of ids) this.waiting.delete(id);
    this.#dropped.splice(0);
  }

  /** The spool holds exactly what the model holds, in order. */
  assertSame(entries: readonly SpoolEntry[]): void {
    assert.deepEqual(
      entries.map(({ id }) => id),
      [...this.waiting.keys()],
    );
    for (const entry of entries) assertSameRecord(entry, this.waiting.get(entry.id));
  }

  /** The spool was closed properly: nothing that was acknowledged may come back. */
  closed(): void {
    for (const record of this.mayReturn.values()) this.#forgotten.set(record.id, record);
    this.mayReturn.clear();
  }

  /** The files of acknowledgements were damaged: whatever they said may come back. */
  acknowledgementsDamaged(): void {
    for (const record of this.#forgotten.values()) this.mayReturn.set(record.id, record);
    this.#forgotten.clear();
  }

  /**
   * After a crash: everything that was stored is there, but for `lost`; what is there besides was acknowledged just
   * before, or being stored. The model goes on with what is there.
   */
  assertSurvived(entries: readonly SpoolEntry[], lost: ReadonlySet<number>): void {
    const found = new Map(entries.map((entry) => [entry.id, entry]));
    for (const id of this.waiting.keys()) {
      assert.equal(
        found.has(id),
        !lost.has(id),
        `record ${id} ${lost.has(id) ? 'was damaged' : 'was stored'}`,
      );
    }
    const unconfirmed = [...this.#unconfirmed];
    for (const entry of entries) {
      const known = this.waiting.get(entry.id) ?? this.mayReturn.get(entry.id);
      assertSameRecord(entry, known ?? unconfirmed.shift());
    }
    this.waiting.clear();
    this.closed();
    this.#unconfirmed = [];
    for (const entry of entries) {
      this.waiting.set(entry.id, entry);
      this.#forgotten.delete(entry.id);
    }
  }
}

function assertSameRecord(entry: SpoolEntry, expected: SpoolRecord | undefined): void {
  assert.ok(expected, `record ${entry.id} was never stored, or was forgotten for good`);
  assert.equal(entry.namespace, expected.namespace);
  assert.equal(entry.points, expected.points);
  assert.ok(entry.document.equals(expected.document), `the document of record ${entry.id}`);
}

function byNamespace(counts: readonly Omit<Dropped, 'reason'>[]): Record<string, [number, number]> {
  const sums: Record<string, [number, number]> = {};
  for (const { namespace, records, points } of counts) {
    const [allRecords, allPoints] = sums[namespace] ?? [0, 0];
    sums[namespace] = [allRecords + records, allPoints + points];
  }
  return sums;
}

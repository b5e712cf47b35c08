/**
 * The pids of all running children with the runs they belong to, in memory that every thread sees. When a runner
 * thread dies, the supervisor reads here whom it left behind; when a run is to be ended, whom to signal.
 * Each runner thread has a row of its own, by the number of its lane.
 */
const SLOTS_PER_ROW = 4096;
const WORDS_PER_SLOT = 2;
const PID = 0;
const RUN = 1;

/** A child that runs, and the run it belongs to. */
export interface NotedChild {
  readonly pid: number;
  readonly runId: number;
}

/** Makes an empty table with so many rows. */
export function createChildTable(rows: number): SharedArrayBuffer {
  return new SharedArrayBuffer(rows * SLOTS_PER_ROW * WORDS_PER_SLOT * Int32Array.BYTES_PER_ELEMENT);
}

/** Notes a child that was started; undefined when the row is full. The slot is for `forgetChild`. */
export function noteChild(table: SharedArrayBuffer, row: number, child: NotedChild): number | undefined {
  const words = rowOf(table, row);
  for (let slot = 0; slot < SLOTS_PER_ROW; slot += 1) {
    if (words[slot * WORDS_PER_SLOT + PID] !== 0) continue;
    words[slot * WORDS_PER_SLOT + RUN] = child.runId;
    Atomics.store(words, slot * WORDS_PER_SLOT + PID, child.pid);
    return slot;
  }
  return undefined;
}

/** Clears the slot of a child that was reaped. */
export function forgetChild(table: SharedArrayBuffer, row: number, slot: number): void {
  Atomics.store(rowOf(table, row), slot * WORDS_PER_SLOT + PID, 0);
}

/** The children of a row, each the leader of its own process group. */
export function childrenOfRow(table: SharedArrayBuffer, row: number): NotedChild[] {
  const words = rowOf(table, row);
  const children: NotedChild[] = [];
  for (let slot = 0; slot < SLOTS_PER_ROW; slot += 1) {
    const pid = Atomics.load(words, slot * WORDS_PER_SLOT + PID);
    if (pid !== 0) children.push({ pid, runId: words[slot * WORDS_PER_SLOT + RUN] ?? 0 });
  }
  return children;
}

/** Clears the row of a thread that has ended. */
export function clearRow(table: SharedArrayBuffer, row: number): void {
  rowOf(table, row).fill(0);
}

/** How many rows a table has. */
export function rowCount(table: SharedArrayBuffer): number {
  return table.byteLength / (SLOTS_PER_ROW * WORDS_PER_SLOT * Int32Array.BYTES_PER_ELEMENT);
}

function rowOf(table: SharedArrayBuffer, row: number): Int32Array {
  const words = SLOTS_PER_ROW * WORDS_PER_SLOT;
  return new Int32Array(table, row * words * Int32Array.BYTES_PER_ELEMENT, words);
}

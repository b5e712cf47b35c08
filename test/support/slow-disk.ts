import { type FileHandle, open } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

const PATIENT_TURNS = 4;
const SLOW_TURNS = 100;

/** What every open file has its functions from. */
export const FILE_PROTOTYPE = await filePrototype();

/** Lets the event loop take so many turns. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await nextTurn();
}

/**
 * Makes the disk slow, each file as it happens: calls of one that was opened in a bad moment take many turns of the event
 * loop, so that whoever works on the same file at the same time overtakes.
 * @param random a whole number below the given one
 * @returns a function that ends it; it ends with the test, too
 */
export function slowDisk(t: TestContext, random: (below: number) => number): () => void {
  const mostTurns = new WeakMap<FileHandle, number>();
  const mocks = (['stat', 'read', 'writev', 'truncate', 'datasync'] as const).map((name) => {
    const original = FILE_PROTOTYPE[name] as (...args: unknown[]) => Promise<unknown>;
    return t.mock.method(FILE_PROTOTYPE, name, async function (this: FileHandle, ...args: unknown[]) {
      const most = mostTurns.get(this) ?? (random(4) === 0 ? SLOW_TURNS : PATIENT_TURNS);
      mostTurns.set(this, most);
      await turns(random(most));
      return original.apply(this, args);
    });
  });
  return () => {
    for (const { mock } of mocks) mock.restore();
  };
}

async function filePrototype(): Promise<FileHandle> {
  const file = await open('/dev/null');
  await file.close();
  return Object.getPrototypeOf(file) as FileHandle;
}

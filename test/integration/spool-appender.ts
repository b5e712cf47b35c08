/**
 * A process that appends to a spool until it is killed, or `count` documents are stored.
 * Arguments: folder, fsync policy, first number, count (0 = without end), acknowledge (1 = every third).
 * Says `stored N` and `acknowledging N` for every numbered document, `refused CODE` for those that were not stored.
 */
import { writeSync } from 'node:fs';
import { codeOf } from '../../src/shared/coded-error.js';
import { Spool } from '../../src/workers/publisher/spool/spool.js';
import type { FsyncPolicy } from '../../src/workers/publisher/spool/spool-options.js';
import { recordingLog } from '../support/recording-log.js';

/** Larger than a ring's record is on average, of many sizes, recognizable to the last byte. */
function documentOf(number: number): Buffer {
  return Buffer.alloc(100 + ((number * 7919) % 30_000), `${number} `);
}

const [folder = '', fsync = 'always', first = '0', count = '0', acknowledges = '0'] = process.argv.slice(2);
const spool = await Spool.open({
  folder,
  maxBytes: 512 * 1024 * 1024,
  fsync: fsync as FsyncPolicy,
  log: recordingLog().log,
  onDropped: () => say('dropped'),
});
const end = count === '0' ? Number.POSITIVE_INFINITY : Number(first) + Number(count);
let next = Number(first);

async function appendOnAndOn(): Promise<void> {
  while (next < end) {
    const numbers = Array.from({ length: 1 + (next % 5) }, (_, place) => next + place);
    next += numbers.length;
    const records = numbers.map((number) => {
      return { namespace: 'web.shop', points: number, document: documentOf(number) };
    });
    try {
      const ids = await spool.append(records);
      for (const number of numbers) say(`stored ${number}`);
      if (acknowledges === '1') acknowledgeSome(numbers, ids);
    } catch (error) {
      say(`refused ${codeOf(error)}`);
    }
  }
}

function acknowledgeSome(numbers: readonly number[], ids: readonly number[]): void {
  const chosen = ids.filter((_, place) => (numbers[place] ?? 0) % 3 === 0);
  for (const number of numbers) if (number % 3 === 0) say(`acknowledging ${number}`);
  spool.acknowledge(chosen);
}

/** At once, so that nothing that was said is lost with the process. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

await Promise.all(Array.from({ length: 16 }, appendOnAndOn));
await spool.close();
say('closed');

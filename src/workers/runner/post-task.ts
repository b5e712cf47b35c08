import type { PostOutcome, PostTask, RecordName } from '../../shared/messages.js';
import { encodePost } from '../../shared/post-body.js';
import type { Runner } from './runner.js';

/** Checks, encodes and writes a posted body; resolves when all of it is in the ring, or nothing more will be. */
export async function takePost(task: PostTask, { setup, lane }: Runner): Promise<PostOutcome> {
  const encoded = encodePost(task.body, {
    database: setup.databasePrefix + task.namespace,
    measurementPrefix: task.measurementPrefix,
    host: setup.host,
    maxBytes: Math.min(setup.maxDocumentBytes, lane.maxDocumentBytes),
  });
  if (encoded.type !== 'encoded') return encoded;
  const giveUpAt = performance.now() + task.roomTimeoutMs;
  const records: RecordName[] = [];
  for (const document of encoded.documents) {
    const record = { namespace: task.namespace, document, awaited: true };
    const end = await lane.write(record, () => performance.now() >= giveUpAt);
    if (end === undefined) return { type: 'full' };
    records.push({ lane: lane.lane, end });
  }
  return { type: 'written', points: encoded.points, records };
}

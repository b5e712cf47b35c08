import { readMetricList } from './metric-list.js';
import {
  type BadMetric,
  type DocumentSettings,
  encodeMetrics,
  type PointsDocument,
} from './points-document.js';

/** What became of a posted body: documents to send, or the reason why nothing of it is sent. */
export type EncodedPost =
  | { readonly type: 'encoded'; readonly documents: readonly PointsDocument[]; readonly points: number }
  | { readonly type: 'not-json'; readonly reason: string }
  | { readonly type: 'bad-metric'; readonly bad: BadMetric };

/**
 * Checks and encodes the body of a `/post`: UTF-8 text, a JSON list of metrics. One bad metric refuses the whole;
 * an empty list is fine and makes no document.
 */
export function encodePost(body: Uint8Array, settings: DocumentSettings): EncodedPost {
  const metrics = readMetricList(body);
  if (metrics.type === 'no-list') return { type: 'not-json', reason: `the body ${metrics.reason}` };
  const { documents, points, bad } = encodeMetrics(metrics.list, settings, Math.floor(Date.now() / 1000));
  const [first] = bad;
  return first === undefined ? { type: 'encoded', documents, points } : { type: 'bad-metric', bad: first };
}

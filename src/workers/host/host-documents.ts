import type { HostSetup } from '../../shared/host-messages.js';
import type { Metric, Tags } from '../../shared/metric.js';
import { encodeMetrics, type PointsDocument } from '../../shared/points-document.js';
import type { HostPoint } from './host-type.js';

/** A document on its way to a namespace. */
export interface HostDocument {
  readonly namespace: string;
  readonly document: PointsDocument;
}

/** The points of a round as documents: each namespace gets those for all and its own. */
export function hostDocuments(
  points: readonly HostPoint[],
  namespaces: readonly string[],
  { databasePrefix, host, maxDocumentBytes }: Pick<HostSetup, 'databasePrefix' | 'host' | 'maxDocumentBytes'>,
  nowSeconds: number,
): readonly HostDocument[] {
  return Array.from(byNamespace(points, namespaces)).flatMap(([namespace, metrics]) => {
    const settings = {
      database: databasePrefix + namespace,
      measurementPrefix: '',
      host,
      maxBytes: maxDocumentBytes,
    };
    const { documents } = encodeMetrics(metrics, settings, nowSeconds);
    return documents.map((document) => ({ namespace, document }));
  });
}

function byNamespace(
  points: readonly HostPoint[],
  namespaces: readonly string[],
): ReadonlyMap<string, readonly Metric[]> {
  const common = points.filter(({ namespace }) => namespace === undefined).map(asMetric);
  const metrics = new Map(namespaces.map((namespace): [string, Metric[]] => [namespace, [...common]]));
  for (const point of points) {
    // The one that an item of the registry belongs to is one of the host's.
    if (point.namespace !== undefined) metrics.get(point.namespace)?.push(asMetric(point));
  }
  return metrics;
}

function asMetric({ name, value, tags, timestamp }: HostPoint): Metric {
  return {
    name,
    value,
    ...(tags !== undefined && { tags: plainTags(tags) }),
    ...(timestamp !== undefined && { timestamp }),
  };
}

/** What breaks a line on its way to a database, or cannot be seen: names of mounts and users hold anything. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not go through
const BREAKS_LINES = /[\s,=\\"\u0000-\u001f\u007f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not go through
const ALL_THAT_BREAK_LINES = /[\s,=\\"\u0000-\u001f\u007f]/g;

function plainTags(tags: Tags): Tags {
  if (!Object.values(tags).some((value) => BREAKS_LINES.test(value))) return tags;
  return Object.fromEntries(
    Object.entries(tags).map(([key, value]) => [key, value.trim().replace(ALL_THAT_BREAK_LINES, '-')]),
  );
}

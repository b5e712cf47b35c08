import { Counter, Gauge, Registry } from 'prom-client';
import type { MetricsText } from '../http/operations.js';

/** All values of one metric name, with what is said of it. */
export interface Family {
  /** Prometheus' naming: the unit in the name, `_total` at the end of a counter. */
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  /** What it tells, for somebody who meets it for the first time. */
  readonly help: string;
  /** No two with the same labels, all with the same label names. None: the family is left out. */
  readonly series: readonly Series[];
}

/** One value of a family. */
export interface Series {
  readonly labels?: Labels;
  readonly value: number;
}

/** Names and values of labels; of a bounded number, so never a namespace or a plugin. */
export type Labels = Readonly<Record<string, string>>;

/** A family with a single value and no labels. */
export function single(type: Family['type'], name: string, help: string, value: number): Family {
  return { name, type, help, series: [{ value }] };
}

/**
 * Families as Prometheus reads them. The parts of the agent keep their own counts, so a registry lives only as long as
 * the answer that it writes: nothing is counted twice, and answers that are made at the same time do not mix.
 */
export async function metricsText(families: readonly Family[]): Promise<MetricsText> {
  const registry = new Registry();
  for (const family of families) if (family.series.length > 0) register(family, registry);
  return { contentType: registry.contentType, text: await registry.metrics() };
}

function register({ name, type, help, series }: Family, registry: Registry): void {
  const labelNames = Object.keys(series[0]?.labels ?? {});
  const settings = { name, help, labelNames, registers: [registry] };
  const metric = type === 'counter' ? new Counter(settings) : new Gauge(settings);
  for (const { labels = {}, value } of series) metric.inc(labels, value);
}

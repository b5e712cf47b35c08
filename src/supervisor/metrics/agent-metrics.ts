import type { AgentStatus, MetricsText } from '../http/operations.js';
import { agentFamilies } from './agent-families.js';
import type { LoopLag } from './event-loop-lag.js';
import { metricsText } from './family.js';
import { outputFamilies } from './output-families.js';
import { processFamilies } from './process-families.js';
import type { ProcessUsage } from './process-usage.js';

/** All that the agent's metrics are made of, read at the same moment. */
export interface AgentFacts {
  readonly status: AgentStatus;
  readonly usage: ProcessUsage;
  readonly lag: LoopLag;
}

/** The agent's own metrics in Prometheus' text format. */
export async function agentMetrics({ status, usage, lag }: AgentFacts): Promise<MetricsText> {
  return metricsText([
    ...agentFamilies(status),
    ...outputFamilies(status.outputs),
    ...processFamilies(usage, lag),
  ]);
}

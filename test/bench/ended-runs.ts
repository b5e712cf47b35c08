import type { AgentProcess } from '../support/agent-process.js';

/** Runs that have ended since the agent was started. */
export async function endedRuns(agent: AgentProcess): Promise<number> {
  const { runs } = (await agent.call('/me/status')).body as { runs: { ok: number; failed: number } };
  return runs.ok + runs.failed;
}

import { pseudoRandom } from '../support/ring-traffic.js';

/** What can happen to a broker or to the connections to it. */
export const BROKER_ACTIONS = ['restart', 'kill', 'freeze', 'cut', 'refuse', 'delay', 'stall'] as const;

/** What can happen to the agent, and to everything at once. */
export const AGENT_ACTIONS = [
  'restart agent',
  'restart agent cut off',
  'restart all',
  'kill agent',
  'kill agent cut off',
  'kill all',
] as const;

/** What can happen to the disk of the spool. */
export const DISK_ACTIONS = ['fill disk', 'nothing'] as const;

export type BrokerAction = (typeof BROKER_ACTIONS)[number];
export type AgentAction = (typeof AGENT_ACTIONS)[number];
export type DiskAction = (typeof DISK_ACTIONS)[number];

/** One thing that happens. */
export interface Step<Action> {
  readonly action: Action;
  /** How long it lasts. */
  readonly ms: number;
  /** What it is done with, from 0 to 1: milliseconds of a delay, bytes that are left on a disk. */
  readonly measure: number;
  /** Quiet time afterwards. */
  readonly pauseMs: number;
}

/** All that happens to an agent under load; follows from the seed and the length alone. */
export interface Schedule {
  readonly seed: number;
  readonly ms: number;
  readonly mode: 'overflow' | 'always';
  readonly fsync: 'interval' | 'always' | 'never';
  /** Points held in memory. */
  readonly bufferSize: number;
  /** Whether brokers are killed: they lose messages then that they have acknowledged. */
  readonly killsBrokers: boolean;
  readonly killsAgent: boolean;
  /** What happens to each broker. */
  readonly brokers: readonly (readonly Step<BrokerAction>[])[];
  /** Meanwhile, to the agent. */
  readonly agent: readonly Step<AgentAction>[];
  /** And to the disk. */
  readonly disk: readonly Step<DiskAction>[];
  readonly clients: number;
  /** Between two posts of a client, at most. */
  readonly clientPauseMs: number;
}

const LONGEST_ACTION_MS = 3500;
const LONGEST_PAUSE_MS = 1500;

/** An agent that always starts and ends takes no points. */
const AGENT_LIFE_MS = 1500;
const MOST_CLIENTS = 10;

/**
 * Seeds take turns: even ones have mode `always`, and the agent is killed; odd ones have `overflow`, and every other of
 * them only restarts the agent.
 */
export function drawSchedule(seed: number, seconds: number): Schedule {
  const random = pseudoRandom(seed);
  const ms = seconds * 1000;
  const isAlways = seed % 2 === 0;
  const killsAgent = seed % 4 !== 1;
  const killsBrokers = random() < 0.5;
  const brokerCount = random() < 0.6 ? 1 : 2;
  const fsync = pick(random, ['interval', 'interval', 'always', 'never'] as const);
  const bufferSize = pick(random, [1, 1000, 100_000, 100_000]);
  const brokerActions = BROKER_ACTIONS.filter((action) => action !== 'kill' || killsBrokers);
  const agentActions = AGENT_ACTIONS.filter((action) => {
    if (action === 'kill all') return killsAgent && killsBrokers;
    return killsAgent || !action.startsWith('kill');
  });
  return {
    seed,
    ms,
    mode: isAlways ? 'always' : 'overflow',
    fsync,
    bufferSize,
    killsBrokers,
    killsAgent,
    brokers: Array.from({ length: brokerCount }, () => drawSteps(random, brokerActions, ms)),
    agent: withKill(drawSteps(random, agentActions, ms, AGENT_LIFE_MS), killsAgent),
    disk: drawSteps(random, DISK_ACTIONS, ms),
    clients: 2 + Math.floor(random() * (MOST_CLIENTS - 1)),
    clientPauseMs: pick(random, [10, 60, 200]),
  };
}

/** For a line of a report: which actions, how often. */
export function countActions(steps: readonly Step<string>[]): string {
  const counts = new Map<string, number>();
  for (const { action } of steps) counts.set(action, (counts.get(action) ?? 0) + 1);
  return [...counts].map(([action, count]) => (count === 1 ? action : `${count}x ${action}`)).join(', ');
}

function drawSteps<Action>(
  random: () => number,
  actions: readonly Action[],
  totalMs: number,
  leastPauseMs = 0,
): readonly Step<Action>[] {
  const steps: Step<Action>[] = [];
  for (let usedMs = 0; usedMs < totalMs; ) {
    const step = {
      action: pick(random, actions),
      // Mostly short, so that much happens.
      ms: Math.floor(random() ** 2 * LONGEST_ACTION_MS),
      measure: random(),
      pauseMs: leastPauseMs + Math.floor(random() ** 2 * LONGEST_PAUSE_MS),
    };
    steps.push(step);
    usedMs += step.ms + step.pauseMs;
  }
  return steps;
}

/** Where the agent is to be killed it is, at least once. */
function withKill(steps: readonly Step<AgentAction>[], killsAgent: boolean): readonly Step<AgentAction>[] {
  const isKilled = steps.some(({ action }) => action.startsWith('kill'));
  if (!killsAgent || isKilled) return steps;
  return steps.map((step, place) => (place === 0 ? { ...step, action: 'kill agent cut off' } : step));
}

function pick<T>(random: () => number, from: readonly T[]): T {
  const picked = from[Math.floor(random() * from.length)];
  if (picked === undefined) throw new Error('there is nothing to pick from');
  return picked;
}

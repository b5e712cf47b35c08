import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentAction, BrokerAction, DiskAction, Step } from './schedule.js';
import type { Broker, Stage } from './stage.js';

type Measures = Pick<Step<unknown>, 'ms' | 'measure'>;

const MOST_DELAY_MS = 100;

/** What may be left on a disk that is filled: nothing, or a little that some records still go into. Bytes. */
const MOST_FREE_BYTES = 200_000;

/** Tries to start nsqd again while another process has its port. */
const START_TRIES = 50;

/** Each is over, and undone, when it resolves. */
export const BROKER_WORK: Readonly<
  Record<BrokerAction, (broker: Broker, measures: Measures) => Promise<void>>
> = {
  restart: (broker, { ms }) =>
    broker.turn.take(async () => {
      await stopBroker(broker);
      await sleep(ms);
      await startAgain(broker.nsqd);
    }),
  kill: ({ nsqd, turn }, { ms }) =>
    turn.take(async () => {
      await nsqd.kill();
      await sleep(ms);
      await startAgain(nsqd);
    }),
  freeze: ({ nsqd, turn }, { ms }) =>
    turn.take(async () => {
      await nsqd.pause();
      await sleep(ms);
      nsqd.resume();
    }),
  cut: async ({ proxy }, { ms, measure }) => {
    const restMs = 20 + 300 * measure;
    for (let waitedMs = 0; waitedMs <= ms; waitedMs += restMs) {
      proxy.cut();
      await sleep(restMs);
    }
  },
  refuse: ({ proxy, turn }, { ms }) =>
    turn.take(async () => {
      proxy.refusing = true;
      proxy.cut();
      await sleep(ms);
      proxy.refusing = false;
    }),
  delay: async ({ proxy }, { ms, measure }) => {
    proxy.delayMs = 1 + MOST_DELAY_MS * measure;
    await sleep(ms);
    proxy.delayMs = 0;
  },
  stall: async ({ proxy }, { ms }) => {
    proxy.stall();
    await sleep(ms);
    proxy.release();
  },
};

export const AGENT_WORK: Readonly<Record<AgentAction, (stage: Stage, measures: Measures) => Promise<void>>> =
  {
    'restart agent': async ({ agent }, { ms }) => {
      await agent.stop();
      await sleep(ms / 4);
      await agent.startAgain();
    },
    'kill agent': async ({ agent }, { ms }) => {
      await agent.kill();
      await sleep(ms / 4);
      await agent.startAgain();
    },
    'restart agent cut off': (stage, { ms }) =>
      cutOff(stage, async ({ agent }) => {
        await sleep(ms / 2);
        await agent.stop();
        await agent.startAgain();
      }),
    'kill agent cut off': (stage, { ms }) =>
      cutOff(stage, async ({ agent }) => {
        await sleep(ms / 2);
        await agent.kill();
        await agent.startAgain();
      }),
    'restart all': ({ agent, brokers }, { ms }) =>
      restartAll(
        brokers,
        ms,
        () => agent.stop(),
        stopBroker,
        () => agent.startAgain(),
      ),
    'kill all': ({ agent, brokers }, { ms }) =>
      restartAll(
        brokers,
        ms,
        () => agent.kill(),
        ({ nsqd }) => nsqd.kill(),
        () => agent.startAgain(),
      ),
  };

export const DISK_WORK: Readonly<Record<DiskAction, (stage: Stage, measures: Measures) => Promise<void>>> = {
  'fill disk': async ({ disk }, { ms, measure }) => {
    // What frees room meanwhile is taken again, as by a process that goes on writing.
    for (let waitedMs = 0; waitedMs <= ms; waitedMs += 50) {
      disk?.fill(measure < 0.5 ? 0 : MOST_FREE_BYTES * (measure - 0.5));
      await sleep(50);
    }
    disk?.free();
  },
  nothing: (_stage, { ms }) => sleep(ms),
};

/** What the agent sends meanwhile gets no answer, and what it had on its way is given up with the connections. */
async function cutOff(stage: Stage, work: (stage: Stage) => Promise<void>): Promise<void> {
  for (const { proxy } of stage.brokers) proxy.stall();
  await work(stage);
  for (const { proxy } of stage.brokers) {
    proxy.cut();
    proxy.release();
  }
}

async function restartAll(
  brokers: readonly Broker[],
  ms: number,
  endAgent: () => Promise<void>,
  endBroker: (broker: Broker) => Promise<void>,
  startAgent: () => Promise<void>,
): Promise<void> {
  const brokersBack = brokers.map((broker) =>
    broker.turn.take(async () => {
      await endBroker(broker);
      await sleep(ms);
      await startAgain(broker.nsqd);
    }),
  );
  await Promise.all([endAgent().then(startAgent), ...brokersBack]);
}

/**
 * While it stops, nsqd 1.3.0 may still accept a connection and acknowledge messages that it never writes to disk. Where
 * it is to lose nothing, it has no connections then.
 */
async function stopBroker({ nsqd, proxy, mayLose }: Broker): Promise<void> {
  if (mayLose) return nsqd.stop();
  proxy.refusing = true;
  proxy.cut();
  await nsqd.stop();
  proxy.refusing = false;
}

/** Meanwhile its port may have become that of some connection. */
async function startAgain(nsqd: Broker['nsqd']): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await nsqd.start();
      return;
    } catch (thrown) {
      if (tries === START_TRIES) throw thrown;
      await sleep(200);
    }
  }
}

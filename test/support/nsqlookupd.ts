import type { TestContext } from 'node:test';
import { lastingPort } from './lasting-port.js';
import { endProgram, launchNsqProgram, type NsqProgram } from './nsq-program.js';

/** A real nsqlookupd on the loopback interface. It is ended after the test. */
export interface Nsqlookupd {
  /** Where nsqd registers: `--lookupd-tcp-address` of an nsqd. The same after a restart. */
  readonly tcpAddress: string;
  /** Where clients ask. */
  readonly httpAddress: string;
  /** SIGTERM; it forgets all that it knew. */
  stop(): Promise<void>;
  /** Starts it again on the same ports. Only after `stop`. */
  start(): Promise<void>;
}

/** Starts nsqlookupd on free ports and waits until it listens. */
export async function startNsqlookupd(test: Pick<TestContext, 'after'>): Promise<Nsqlookupd> {
  const launched: NsqProgram[] = [];
  test.after(async () => {
    for (const { process: child } of launched) await endProgram(child, 'SIGKILL');
  });
  const launch = async (tcpAddress: string, httpAddress: string): Promise<NsqProgram> => {
    const program = await launchNsqProgram('nsqlookupd', [
      `--tcp-address=${tcpAddress}`,
      `--http-address=${httpAddress}`,
      '--broadcast-address=127.0.0.1',
    ]);
    launched.push(program);
    return program;
  };
  const [tcpPort, httpPort] = [await lastingPort(), await lastingPort()];
  let running = await launch(`127.0.0.1:${tcpPort}`, `127.0.0.1:${httpPort}`);
  const { tcpAddress, httpAddress } = running;
  return {
    tcpAddress,
    httpAddress,
    stop: () => endProgram(running.process, 'SIGTERM'),
    start: async () => {
      running = await launch(tcpAddress, httpAddress);
    },
  };
}

import { connect } from 'node:net';
import pLimit from 'p-limit';
import { startDeadline } from '../../../shared/deadline.js';
import type { WatchedPort } from '../../../shared/host-messages.js';
import type { HostType } from '../host-type.js';

/** Connections that are tried at the same time; each is a descriptor. */
const CONNECTIONS_MAX = 100;

const HERE = '127.0.0.1';

/** Whether somebody listens on ports of this host. */
export const hostType: HostType<undefined> = {
  type: 'PORT',
  intervalSeconds: 60,
  isWanted: ({ ports }) => ports.length > 0,
  async read(_previous, { plan }) {
    const answers = new Map<string, Promise<boolean>>();
    const limit = pLimit(CONNECTIONS_MAX);
    const points = plan.ports.map(async ({ namespace, name, port, connectTimeoutMs }) => {
      const key = `${port} ${connectTimeoutMs}`;
      const answer = answers.get(key) ?? limit(() => accepts({ port, connectTimeoutMs }));
      answers.set(key, answer);
      return { name, value: (await answer) ? 1 : 0, namespace };
    });
    return { points: await Promise.all(points), state: undefined };
  },
};

async function accepts({
  port,
  connectTimeoutMs,
}: Pick<WatchedPort, 'port' | 'connectTimeoutMs'>): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: HERE, port });
    const end = (accepted: boolean): void => {
      callOff();
      socket.destroy();
      resolve(accepted);
    };
    // A socket's own time-out begins anew with every event.
    const callOff = startDeadline(connectTimeoutMs, () => end(false));
    // Where nobody listens, the kernel may choose this very port for our end, and connects the socket to itself.
    socket.once('connect', () => end(socket.localPort !== port));
    socket.once('error', () => end(false));
  });
}

import type { HostType } from '../host-type.js';
import { readKernelFile } from '../kernel-file.js';

/** By the number that `/proc/net/tcp` writes; the kernel's include/net/tcp_states.h. */
const STATES: Readonly<Record<string, string>> = {
  '01': 'established',
  '02': 'syn-sent',
  '03': 'syn-recv',
  '04': 'fin-wait-1',
  '05': 'fin-wait-2',
  '06': 'time-wait',
  '07': 'close',
  '08': 'close-wait',
  '09': 'last-ack',
  '0A': 'listen',
  '0B': 'closing',
  '0C': 'new-syn-recv',
};

/** TCP sockets by their states. Every connection is a line of text, so this is not for everybody. */
export const hostType: HostType<undefined> = {
  type: 'SOCKET',
  intervalSeconds: 60,
  read(_previous, { places }) {
    const counts = new Map(Object.values(STATES).map((state) => [state, 0]));
    for (const file of ['tcp', 'tcp6']) {
      const [, ...lines] = readKernelFile(`${places.proc}/net/${file}`)?.split('\n') ?? [];
      for (const line of lines) {
        const state = STATES[/^ *[0-9]+: \S+ \S+ ([0-9A-F]{2}) /.exec(line)?.[1] ?? ''];
        if (state !== undefined) counts.set(state, (counts.get(state) ?? 0) + 1);
      }
    }
    const points = Array.from(counts, ([state, value]) => ({
      name: 'net.tcp.state',
      value,
      tags: { state },
    }));
    return { points, state: undefined };
  },
};

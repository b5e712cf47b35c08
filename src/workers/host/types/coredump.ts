import type { HostType } from '../host-type.js';

/** The files that were there in the round before, so that each is told once, however long it takes to be written. */
type SeenFiles = ReadonlySet<string>;

/** Core dumps that were made since the last round. */
export const hostType: HostType<SeenFiles> = {
  type: 'COREDUMP',
  intervalSeconds: 60,
  async read(previous, { settings, intervalSeconds, nowSeconds, inspect, warn }) {
    const folder = settings.coreDumpFolder;
    // A dump has the time of the crash in its name, and may be there later: the one before this interval counts, too.
    const intervals = previous === undefined ? 1 : 2;
    const newerThanSeconds = nowSeconds - intervals * intervalSeconds;
    const [result] = await inspect([{ kind: 'cores', folder, newerThanSeconds }]);
    if (result === undefined || typeof result === 'string' || result.kind !== 'cores') {
      return { points: [], state: previous ?? new Set() };
    }
    if (result.problem !== undefined) {
      warn(`the folder of core dumps cannot be read: ${result.problem}`, { about: 'core dumps' });
    }
    const fresh = result.cores.filter(({ file }) => previous?.has(file) !== true);
    const services = new Set(fresh.map(({ service }) => service));
    const points = Array.from(services, (service) => ({
      name: 'app.service.coredump',
      value: 1,
      tags: { service },
    }));
    return { points, state: new Set(result.cores.map(({ file }) => file)) };
  },
};

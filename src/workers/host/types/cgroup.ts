import { readCgroupCpu } from '../cgroup.js';
import type { HostType } from '../host-type.js';
import { growth, percentOf } from '../numbers.js';

type CgroupState = ReadonlyMap<string, number>;

/** How the processor limit of the agent's own control group bites, where `[host] cgroup` says that it is of interest. */
export const hostType: HostType<CgroupState> = {
  type: 'CGROUP',
  intervalSeconds: 10,
  isWanted: (_plan, { cgroup }) => cgroup,
  read(previous, { places }) {
    const state: CgroupState = readCgroupCpu(places);
    const periods = growth(state.get('nr_periods'), previous?.get('nr_periods'));
    const throttled = growth(state.get('nr_throttled'), previous?.get('nr_throttled'));
    const microseconds = growth(state.get('throttled_usec'), previous?.get('throttled_usec'));
    const points = [];
    if (periods !== undefined && throttled !== undefined) {
      points.push({ name: 'cgroup.cpu.throttled.percent', value: percentOf(throttled, periods) });
    }
    if (microseconds !== undefined) {
      points.push({ name: 'cgroup.cpu.throttled.ms', value: microseconds / 1000 });
    }
    return { points, state };
  },
};

import type { HostPoint, HostType } from '../host-type.js';
import { readShortKernelFile } from '../kernel-file.js';

const RESOURCES = ['cpu', 'memory', 'io'] as const;

/** Pressure: the share of time in which some or all tasks waited for a resource. */
export const hostType: HostType<undefined> = {
  type: 'PSI',
  intervalSeconds: 10,
  read(_previous, { places }) {
    const points = RESOURCES.flatMap((resource) =>
      pressurePoints(resource, readShortKernelFile(`${places.proc}/pressure/${resource}`) ?? ''),
    );
    return { points, state: undefined };
  },
};

/** Lines like `some avg10=0.12 avg60=0.05 avg300=0.01 total=123456`. */
function pressurePoints(resource: string, text: string): HostPoint[] {
  return text.split('\n').flatMap((line) => {
    const [share = '', ...averages] = line.split(' ');
    return averages.flatMap((average) => {
      const [, window, value] = /^(avg[0-9]+)=([0-9.]+)$/.exec(average) ?? [];
      if (window === undefined) return [];
      return [{ name: `psi.${resource}.${share}.${window}`, value: Number(value) }];
    });
  });
}

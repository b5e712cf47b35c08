import assert from 'node:assert/strict';
import test from 'node:test';
import { cgroupFolder } from '../../src/supervisor/cgroups/own-cgroup.js';

const MOUNT = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate';

test('the own cgroup is found below where cgroup v2 is mounted', () => {
  const cases: readonly [cgroups: string, mounts: string, folder: string | undefined][] = [
    ['0::/system.slice/agent.service\n', MOUNT, '/sys/fs/cgroup/system.slice/agent.service'],
    ['0::/\n', MOUNT, '/sys/fs/cgroup'],
    // Hybrid: controllers of v1 beside it.
    [
      '4:memory:/x\n0::/a\n',
      '31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n32 23 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
      '/sys/fs/cgroup/unified/a',
    ],
    // A container that sees a part of the hierarchy.
    [
      '0::/docker/abc/x\n',
      '30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup ro',
      '/sys/fs/cgroup/x',
    ],
    ['0::/elsewhere\n', '30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup ro', undefined],
    ['0::/a\n', '30 23 0:26 / /mnt/with\\040blank rw - cgroup2 cgroup2 rw', '/mnt/with blank/a'],
    ['0::/../outside\n', MOUNT, undefined],
    ['4:memory:/x\n', MOUNT, undefined],
    ['0::/a\n', '31 23 0:27 / /proc rw - proc proc rw', undefined],
    ['', '', undefined],
  ];
  for (const [cgroups, mounts, folder] of cases) assert.equal(cgroupFolder(cgroups, mounts), folder, cgroups);
});

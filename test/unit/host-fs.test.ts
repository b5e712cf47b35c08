import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { InspectorJob, MountAnswer } from '../../src/shared/host-messages.js';
import { checkMount } from '../../src/workers/host/inspector/mount-check.js';
import { readMounts } from '../../src/workers/host/mount-table.js';
import { hostType as fs } from '../../src/workers/host/types/fs.js';
import { LargeHost } from '../support/large-host.js';
import { RecordedHost, RecordedRounds, valuesOf } from '../support/recorded-host.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const MIB = 2 ** 20;

const ANSWER: MountAnswer = {
  kind: 'mount',
  usage: {
    totalBytes: 1000 * MIB + 1,
    freeBytes: 400 * MIB,
    availableBytes: 350 * MIB,
    inodes: 1000,
    freeInodes: 997,
  },
  usable: true,
  problem: undefined,
};

describe('the table of mounts', () => {
  it('holds real file systems, each once, those on devices first', (t) => {
    const mounts = readMounts(new RecordedHost(t, 'bare-metal').places.proc);
    assert.deepEqual(
      mounts.map(({ path, readOnly }) => `${path}${readOnly ? ' read-only' : ''}`),
      ['/', '/boot', '/data', '/var', '/old', '/archive read-only', '/mnt/team share', '/remote'],
    );
  });

  it('holds in a container what was mounted for it, and not what its engine put there', (t) => {
    const mounts = readMounts(new RecordedHost(t, 'container').places.proc);
    assert.deepEqual(
      mounts.map(({ path }) => path),
      ['/data'],
    );
  });

  it('holds the only disk of a virtual machine', (t) => {
    const mounts = readMounts(new RecordedHost(t, 'vm').places.proc);
    assert.deepEqual(mounts, [{ path: '/', readOnly: false, local: true }]);
  });

  it('holds two thousand mounts', (t) => {
    assert.equal(readMounts(new LargeHost(t, { mounts: 2000 }).places.proc).length, 2000);
  });

  it('understands paths with blanks, line ends and backslashes', (t) => {
    const host = new RecordedHost(t, 'vm');
    host.write('proc/self/mountinfo', '9 1 8:1 / /a\\040b\\011c\\012d\\134e rw - ext4 /dev/sda1 rw\n');
    assert.equal(readMounts(host.places.proc)[0]?.path, '/a b\tc\nd\\e');
  });
});

describe('FS', () => {
  it('rounds percentages up, and counts as used what users cannot have', async (t) => {
    const host = new RecordedHost(t, 'vm');
    const inspect = async (jobs: readonly InspectorJob[]) => jobs.map(() => ANSWER);
    const values = valuesOf(await new RecordedRounds(fs, host.places).round(300, { inspect }));
    assert.equal(values['fs.space.total{/}'], 1000);
    assert.equal(values['fs.space.used{/}'], 600);
    assert.equal(values['fs.space.free{/}'], 350);
    assert.equal(values['fs.space.used.percent{/}'], 64);
    assert.equal(values['fs.inodes.used.percent{/}'], 1);
    assert.equal(values['fs.files.rw{/}'], 1);
  });

  it('sends no inodes where there is no fixed number of them', async (t) => {
    const host = new RecordedHost(t, 'vm');
    const usage = ANSWER.usage && { ...ANSWER.usage, inodes: 0, freeInodes: 0 };
    const inspect = async (jobs: readonly InspectorJob[]) => jobs.map(() => ({ ...ANSWER, usage }));
    const values = valuesOf(await new RecordedRounds(fs, host.places).round(300, { inspect }));
    assert.equal(values['fs.inodes.used.percent{/}'], undefined);
  });

  it('tells a mount that hangs as unusable, and one that was not tried not at all', async (t) => {
    const host = new RecordedHost(t, 'bare-metal');
    const rounds = new RecordedRounds(fs, host.places);
    const inspect = async (jobs: readonly InspectorJob[]) =>
      jobs.map((job) => {
        if (job.kind !== 'mount') return 'untried';
        if (job.path === '/mnt/team share') return 'stuck';
        return job.path === '/remote' ? 'untried' : ANSWER;
      });
    const values = valuesOf(await rounds.round(300, { inspect }));
    assert.equal(values['fs.files.rw{/mnt/team share}'], 0);
    assert.equal(values['fs.space.total{/mnt/team share}'], undefined);
    assert.equal(values['fs.files.rw{/remote}'], undefined);
    assert.equal(values['fs.files.rw{/}'], 1);
  });

  it('sends the open files of the kernel', async (t) => {
    const points = await new RecordedRounds(fs, new RecordedHost(t, 'bare-metal').places).round();
    assert.deepEqual(valuesOf(points), {
      'kernel.files.max': 1_048_576,
      'kernel.files.allocated': 4096,
      'kernel.files.allocated.percent': 0.39,
      'kernel.files.left': 1_044_480,
    });
  });
});

describe('a look at a mount', () => {
  it('writes, reads and removes a file, and leaves nothing behind', (t) => {
    const folder = temporaryFolder(t);
    const { usable, usage } = checkMount(folder, false);
    assert.ok(usable);
    assert.ok(usage !== undefined && usage.totalBytes > 0 && usage.freeBytes <= usage.totalBytes);
    assert.deepEqual(readdirSync(folder), []);
  });

  it('finds a folder unusable that is not there, and only reads where nobody may write', () => {
    const { usable, usage, problem } = checkMount('/nowhere/at/all', false);
    assert.deepEqual([usable, usage], [false, undefined]);
    assert.match(problem ?? '', /\/nowhere\/at\/all/);
    assert.equal(checkMount('/proc', true).usable, true);
  });
});

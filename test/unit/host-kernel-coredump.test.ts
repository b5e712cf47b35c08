import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { InspectorJob } from '../../src/shared/host-messages.js';
import { findCores } from '../../src/workers/host/inspector/core-dumps.js';
import { RECORDS_MAX } from '../../src/workers/host/login-records.js';
import { hostType as coredump } from '../../src/workers/host/types/coredump.js';
import { hostType as kernel } from '../../src/workers/host/types/kernel.js';
import { loginRecords } from '../support/login-records.js';
import { NOW, RecordedHost, RecordedRounds } from '../support/recorded-host.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const login = { type: 7, user: 'eve', remote: '10.0.0.9', device: 'pts/0', seconds: NOW + 290 };

describe('KERNEL', () => {
  it('tells logins and failed ones of the last five minutes, each with its own time', async (t) => {
    const host = new RecordedHost(t, 'vm');
    host.write(
      'wtmp',
      loginRecords(
        { ...login, user: 'early', seconds: NOW - 1 },
        { ...login, type: 2, user: 'reboot', device: '~' },
        login,
        { ...login, type: 8, user: '', remote: '' },
        { ...login, user: 'root', remote: '', device: 'tty1' },
      ),
    );
    host.write('btmp', loginRecords({ ...login, type: 6, user: 'admin', device: 'ssh:notty' }));
    const points = await new RecordedRounds(kernel, host.places).round(300);
    const common = { name: 'kernel.user.login', timestamp: NOW + 290 };
    assert.deepEqual(points, [
      { ...common, value: 1, tags: { user: 'eve', remote: '10.0.0.9', device: 'pts/0', success: 'true' } },
      { ...common, value: 1, tags: { user: 'root', remote: '', device: 'tty1', success: 'true' } },
      {
        ...common,
        value: 0,
        tags: { user: 'admin', remote: '10.0.0.9', device: 'ssh:notty', success: 'false' },
      },
    ]);
  });

  it('leaves a piece of a record at the end for the next time, and tells nothing twice', async (t) => {
    const host = new RecordedHost(t, 'vm');
    const rounds = new RecordedRounds(kernel, host.places);
    const two = loginRecords(login, { ...login, user: 'mallory' });
    host.write('wtmp', two.subarray(0, two.length - 100));
    const users = async () => (await rounds.round(10)).map(({ tags }) => tags?.user);
    assert.deepEqual(await users(), ['eve']);
    assert.deepEqual(await users(), []);
    host.write('wtmp', two);
    assert.deepEqual(await users(), ['mallory']);
  });

  it('begins anew with a file that was rotated', async (t) => {
    const host = new RecordedHost(t, 'vm');
    const rounds = new RecordedRounds(kernel, host.places);
    host.write('wtmp', loginRecords(login, login, login));
    assert.equal((await rounds.round(10)).length, 3);
    host.remove('wtmp');
    host.write('wtmp', loginRecords({ ...login, user: 'new' }));
    assert.deepEqual(
      (await rounds.round(10)).map(({ tags }) => tags?.user),
      ['new'],
    );
  });

  it('reads no more than the end of a file that an attacker filled', async (t) => {
    const host = new RecordedHost(t, 'vm');
    host.write('btmp', loginRecords(...Array.from({ length: RECORDS_MAX + 50 }, () => login)));
    assert.equal((await new RecordedRounds(kernel, host.places).round(10)).length, RECORDS_MAX);
  });

  it('is silent where there are no such files, and says it where they cannot be read', async (t) => {
    const host = new RecordedHost(t, 'vm');
    const rounds = new RecordedRounds(kernel, host.places);
    assert.deepEqual(await rounds.round(300), []);
    assert.deepEqual(rounds.warnings, []);
    host.write('btmp/a', '');
    assert.deepEqual(await rounds.round(300), []);
    assert.match(rounds.warnings.join(), /EISDIR/);
  });
});

describe('COREDUMP', () => {
  it('tells each dump once, by the service in its name', async (t) => {
    const folder = temporaryFolder(t);
    const dump = (name: string) => writeFileSync(join(folder, name), '');
    const rounds = new RecordedRounds(coredump, new RecordedHost(t, 'vm').places);
    const inspect = async (jobs: readonly InspectorJob[]) =>
      jobs.map((job) => {
        assert.ok(job.kind === 'cores');
        return findCores(job.folder, job.newerThanSeconds);
      });
    const services = async (second: number) => {
      const surroundings = { inspect, settings: { coreDumpFolder: folder }, nowSeconds: NOW + second };
      return (await rounds.round(60, surroundings)).map(({ name, value, tags }) => [
        name,
        value,
        tags?.service,
      ]);
    };
    dump(`core.old.77.${NOW - 3600}`);
    dump(`core.redis.main.77.${NOW - 10}`);
    dump(`core.redis.main.78.${NOW - 5}`);
    dump('core.77');
    dump('notes.txt');
    assert.deepEqual(await services(0), [['app.service.coredump', 1, 'redis.main']]);
    assert.deepEqual(await services(60), []);
    // The crash was before the last round, the file came after it.
    dump(`core.web.79.${NOW + 59}`);
    assert.deepEqual(await services(120), [['app.service.coredump', 1, 'web']]);
    assert.deepEqual(await services(180), []);
  });

  it('takes a folder that is not there for one without dumps, and names one that cannot be read', async (t) => {
    assert.deepEqual(findCores('/nowhere/coresave', 0), { kind: 'cores', cores: [], problem: undefined });
    const file = join(temporaryFolder(t), 'file');
    writeFileSync(file, '');
    assert.match(findCores(file, 0).problem ?? '', /ENOTDIR/);
  });
});

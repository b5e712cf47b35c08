import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostType as proc } from '../../src/workers/host/types/proc.js';
import { LargeHost } from '../support/large-host.js';
import { RecordedHost, RecordedRounds, valuesOf } from '../support/recorded-host.js';

const server = { namespace: 'shop', name: 'PROC.server', path: '/opt/my app/server' };

describe('PROC', () => {
  it('finds processes by the path of their executable, with blanks in it, replaced or not', async (t) => {
    const host = new RecordedHost(t, 'bare-metal');
    const rounds = new RecordedRounds(proc, host.places);
    const plan = { plan: { processes: [server] } };
    const first = await rounds.round(60, plan);
    assert.deepEqual(valuesOf(first), {
      'PROC.server.procnum': 2,
      'PROC.server.fdnum': 5,
      'PROC.server.mem': (2560 + 256) * 4096,
    });
    assert.ok(first.every(({ namespace }) => namespace === 'shop'));
    host.later();
    // Only the process that was there before: the other id belongs to a new one.
    assert.deepEqual(valuesOf(await rounds.round(10, plan)), {
      'PROC.server.procnum': 2,
      'PROC.server.fdnum': 5,
      'PROC.server.mem': (2560 + 512) * 4096,
      'PROC.server.cpu': 50,
      'PROC.server.io.read': 10_000,
      'PROC.server.io.write': 5000,
    });
  });

  it('sends zeros when there is no such process, and no rates of what it may not see', async (t) => {
    const host = new RecordedHost(t, 'bare-metal');
    const rounds = new RecordedRounds(proc, host.places);
    const gone = { namespace: 'shop', name: 'PROC.gone', path: '/opt/gone' };
    const other = { namespace: 'cache', name: 'PROC.other', path: '/opt/other' };
    const plan = { plan: { processes: [gone, other] } };
    await rounds.round(60, plan);
    assert.deepEqual(valuesOf(await rounds.round(60, plan)), {
      'PROC.gone.procnum': 0,
      'PROC.gone.fdnum': 0,
      'PROC.gone.mem': 0,
      'PROC.gone.cpu': 0,
      'PROC.gone.io.read': 0,
      'PROC.gone.io.write': 0,
      'PROC.other.procnum': 1,
      'PROC.other.fdnum': 0,
      'PROC.other.mem': 0,
      'PROC.other.cpu': 0,
    });
  });

  it('gives every item that watches the same path its own points', async (t) => {
    const rounds = new RecordedRounds(proc, new RecordedHost(t, 'bare-metal').places);
    const again = { namespace: 'cache', name: 'PROC.again', path: server.path };
    const points = await rounds.round(60, { plan: { processes: [server, again] } });
    assert.deepEqual(
      points
        .filter(({ name }) => name.endsWith('.procnum'))
        .map(({ name, namespace, value }) => [name, namespace, value]),
      [
        ['PROC.server.procnum', 'shop', 2],
        ['PROC.again.procnum', 'cache', 2],
      ],
    );
  });

  it('finds them among five thousand', async (t) => {
    const rounds = new RecordedRounds(proc, new LargeHost(t, { processes: 5000 }).places);
    const program = { namespace: 'shop', name: 'PROC.program', path: '/usr/bin/program7' };
    const values = valuesOf(await rounds.round(60, { plan: { processes: [program] } }));
    assert.equal(values['PROC.program.procnum'], 125);
  });
});

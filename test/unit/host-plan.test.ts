import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planHost } from '../../src/supervisor/host/host-plan.js';
import type { HostItem } from '../../src/supervisor/registry/registry-view.js';

const item = (type: HostItem['type'], fields: Record<string, string>, namespace = 'shop'): HostItem => ({
  namespace,
  type,
  fields,
});

const planOf = (...hostItems: readonly HostItem[]) => planHost({ namespaces: ['shop'], hostItems });

describe('the plan of what is measured', () => {
  it('takes intervals of types from their items, the last one counts', () => {
    const { plan, problems } = planOf(
      item('CPU', { interval: '60' }),
      item('CPU', { interval: '30' }, 'cache'),
      item('MEM', { interval: '3' }),
      item('NET', { interval: '0' }),
      item('FS', { interval: '99999999' }),
    );
    assert.deepEqual(plan.intervals, { CPU: 30, MEM: 10, NET: 10, FS: 86_400 });
    assert.deepEqual(problems, []);
  });

  it('keeps the usual interval where an item says none, and names one that is no number', () => {
    const { plan, problems } = planOf(
      item('DISK', {}),
      item('CPU', { interval: '' }),
      item('MEM', { interval: 'often' }),
      item('PORT', { interval: '10', name: 'PORT.a.80', port: '80' }),
      item('PROC', { interval: '10', name: 'PROC.a', bin_path: '/a' }),
      item('DEV', { interval: '10' }),
    );
    assert.deepEqual(plan.intervals, {});
    assert.deepEqual(
      problems.map(({ name, reason }) => `${name}: ${reason}`),
      ['MEM: interval "often" is no number of seconds; MEM is measured as often as usual'],
    );
  });

  it('takes ports with a bounded time-out', () => {
    const { plan, problems } = planOf(
      item('PORT', { name: 'PORT.web.80', port: '80', connect_timeout: '2' }),
      item('PORT', { name: 'PORT.ssh.22', port: ' 22 ' }),
      item('PORT', { name: 'PORT.slow.1', port: '1', connect_timeout: '600' }),
      item('PORT', { name: 'PORT.bad.0', port: '0' }),
      item('PORT', { name: 'PORT.bad.70000', port: '70000' }),
      item('PORT', { name: 'bad name', port: '80' }),
      item('PORT', { port: '80' }),
    );
    assert.deepEqual(
      plan.ports.map(({ name, port, connectTimeoutMs }) => [name, port, connectTimeoutMs]),
      [
        ['PORT.web.80', 80, 2000],
        ['PORT.ssh.22', 22, 3000],
        ['PORT.slow.1', 1, 30_000],
      ],
    );
    assert.equal(problems.length, 4);
  });

  it('takes executables by their absolute path', () => {
    const { plan, problems } = planOf(
      item('PROC', { name: 'PROC.app', bin_path: ' /opt/my app/server ' }),
      item('PROC', { name: 'PROC.bad', bin_path: 'server' }),
      item('PROC', { name: 'PROC.none' }),
    );
    assert.deepEqual(plan.processes, [{ namespace: 'shop', name: 'PROC.app', path: '/opt/my app/server' }]);
    assert.equal(problems.length, 2);
    assert.match(problems[0]?.reason ?? '', /no absolute path/);
  });
});

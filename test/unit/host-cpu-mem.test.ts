import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostType as cgroup } from '../../src/workers/host/types/cgroup.js';
import { hostType as cpu } from '../../src/workers/host/types/cpu.js';
import { hostType as mem } from '../../src/workers/host/types/mem.js';
import { LargeHost } from '../support/large-host.js';
import { RecordedHost, RecordedRounds, valuesOf } from '../support/recorded-host.js';

describe('CPU', () => {
  it('sends loads and processes in the first round, and shares from the second one on', async (t) => {
    const host = new RecordedHost(t, 'bare-metal');
    const rounds = new RecordedRounds(cpu, host.places);
    assert.deepEqual(valuesOf(await rounds.round()), {
      'agent.alive': 1,
      'cpu.loadavg.1': 1.25,
      'cpu.loadavg.5': 0.75,
      'cpu.loadavg.15': 0.5,
      'ps.total.num': 6,
      'ps.running.num': 1,
      'ps.zombies.num': 1,
    });
    host.later();
    const values = valuesOf(await rounds.round());
    // Per core 400 user, 100 system, 480 idle, 20 iowait of 1000 ticks; core 3 was idle.
    assert.equal(values['cpu.idle.core{0}'], 48);
    assert.equal(values['cpu.idle.core{3}'], 100);
    assert.equal(values['cpu.idle'], 54.5);
    assert.equal(values['cpu.user'], 35);
    assert.equal(values['cpu.system'], 8.75);
    assert.equal(values['cpu.iowait'], 1.75);
    assert.equal(values['cpu.steal'], 0);
    assert.equal(values['cpu.context_switches'], 5000);
  });

  it('says nothing of a core that went off-line, and nothing wrong when it is back', async (t) => {
    const host = new RecordedHost(t, 'container');
    const rounds = new RecordedRounds(cpu, host.places);
    await rounds.round();
    host.write('proc/stat', 'cpu  1050 0 525 8400 0 0 0 0 0 0\ncpu0 525 0 262 4200 0 0 0 0 0 0\n');
    const without = valuesOf(await rounds.round());
    assert.equal(without['cpu.idle.core{2}'], undefined);
    assert.equal(without['cpu.idle.core{0}'], 84.39);
    host.later();
    assert.equal(valuesOf(await rounds.round())['cpu.idle.core{2}'], undefined);
    assert.equal(valuesOf(await rounds.round())['cpu.idle.core{2}'], undefined, 'a core that did not count');
  });

  it('gives no point of a counter that went back', async (t) => {
    const host = new RecordedHost(t, 'container');
    const rounds = new RecordedRounds(cpu, host.places);
    host.write('proc/stat', 'cpu  1000 0 500 8000 900 0 0 0\ncpu0 500 0 250 4000 0 0 0 0\nctxt 90\n');
    await rounds.round();
    host.write('proc/stat', 'cpu  1100 0 600 8800 800 0 0 0\ncpu0 400 0 250 3000 0 0 0 0\nctxt 10\n');
    const values = valuesOf(await rounds.round());
    assert.equal(values['cpu.idle'], 80);
    assert.equal(values['cpu.iowait'], undefined);
    assert.equal(values['cpu.idle.core{0}'], undefined);
    assert.equal(values['cpu.context_switches'], undefined);
  });

  it('knows 64 cores by their numbers', async (t) => {
    const host = new LargeHost(t, { cpus: 64 });
    const rounds = new RecordedRounds(cpu, host.places);
    await rounds.round();
    host.advance();
    const points = await rounds.round();
    const cores = points.filter(({ name }) => name === 'cpu.idle.core').map(({ tags }) => tags?.core);
    assert.deepEqual(
      cores,
      Array.from({ length: 64 }, (_, core) => String(core)),
    );
  });

  it('looks at thousands of processes seldom enough, and counts them all the same', async (t) => {
    const host = new LargeHost(t, { processes: 5000 });
    const rounds = new RecordedRounds(cpu, host.places);
    const values = valuesOf(await rounds.round());
    assert.deepEqual([values['ps.total.num'], values['ps.running.num']], [5000, 100]);
    const soon = valuesOf(await rounds.round(0.001));
    assert.deepEqual([soon['ps.total.num'], soon['ps.running.num']], [5000, undefined]);
    const later = valuesOf(await rounds.round(61));
    assert.deepEqual([later['ps.total.num'], later['ps.running.num']], [5000, 100]);
  });

  it('lives without any of its files', async (t) => {
    const host = new RecordedHost(t, 'vm');
    host.remove('proc');
    const rounds = new RecordedRounds(cpu, host.places);
    await rounds.round();
    assert.deepEqual(valuesOf(await rounds.round()), { 'agent.alive': 1 });
  });
});

describe('MEM', () => {
  it('sends whole MiB and percentages', async (t) => {
    const rounds = new RecordedRounds(mem, new RecordedHost(t, 'bare-metal').places);
    assert.deepEqual(valuesOf(await rounds.round()), {
      'mem.total': 32000,
      'mem.used': 12000,
      'mem.free': 20000,
      'mem.buffers': 500,
      'mem.cached': 17000,
      'mem.slab': 2000,
      'mem.used.percent': 37.5,
      'mem.swap.used.percent': 25,
    });
  });

  it('adds up what is free where the kernel does not say what is available', async (t) => {
    const host = new RecordedHost(t, 'bare-metal');
    host.write('proc/meminfo', 'MemTotal: 4096 kB\nMemFree: 1024 kB\nBuffers: 1024 kB\nCached: 1024 kB\n');
    const values = valuesOf(await new RecordedRounds(mem, host.places).round());
    assert.deepEqual([values['mem.free'], values['mem.used'], values['mem.swap.used.percent']], [3, 1, 0]);
  });

  it('says the limit of the control group only where that is asked for', async (t) => {
    const host = new RecordedHost(t, 'container');
    const rounds = new RecordedRounds(mem, host.places);
    assert.equal(valuesOf(await rounds.round())['mem.total'], 64000);
    assert.deepEqual(valuesOf(await rounds.round(10, { settings: { cgroup: true } })), {
      'mem.total': 2048,
      'mem.used': 1024,
      'mem.free': 1024,
      'mem.buffers': 0,
      'mem.cached': 600,
      'mem.slab': 50,
      'mem.used.percent': 50,
      'mem.swap.used.percent': 0,
    });
  });

  it('takes the least limit of the groups above, and none above the machine', async (t) => {
    const host = new RecordedHost(t, 'container');
    const settings = { settings: { cgroup: true } };
    host.write('proc/self/cgroup', '0::/a/b\n');
    host.write('sys/fs/cgroup/a/b/memory.max', 'max\n');
    host.write('sys/fs/cgroup/a/b/memory.current', '1048576\n');
    host.write('sys/fs/cgroup/a/memory.max', '1073741824\n');
    host.write('sys/fs/cgroup/a/memory.current', '536870912\n');
    const rounds = new RecordedRounds(mem, host.places);
    assert.equal(valuesOf(await rounds.round(10, settings))['mem.total'], 1024);
    host.remove('sys/fs/cgroup/a');
    host.write('sys/fs/cgroup/memory.max', '9223372036854771712\n');
    assert.equal(valuesOf(await rounds.round(10, settings))['mem.total'], 64000);
    host.remove('sys');
    assert.equal(valuesOf(await rounds.round(10, settings))['mem.total'], 64000);
  });
});

describe('CGROUP', () => {
  it('says how often the processor limit was reached', async (t) => {
    const host = new RecordedHost(t, 'container');
    const rounds = new RecordedRounds(cgroup, host.places);
    assert.deepEqual(await rounds.round(), []);
    host.later();
    assert.deepEqual(valuesOf(await rounds.round()), {
      'cgroup.cpu.throttled.percent': 25,
      'cgroup.cpu.throttled.ms': 250,
    });
  });
});

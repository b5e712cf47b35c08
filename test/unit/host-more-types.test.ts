import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { HOST_TYPES } from '../../src/shared/host-types.js';
import type { HostType } from '../../src/workers/host/host-type.js';
import { hostType as port } from '../../src/workers/host/types/port.js';
import { hostType as psi } from '../../src/workers/host/types/psi.js';
import { hostType as socket } from '../../src/workers/host/types/socket.js';
import { hostType as system } from '../../src/workers/host/types/system.js';
import { listenOnFreePort } from '../support/free-port.js';
import { RecordedHost, RecordedRounds, valuesOf } from '../support/recorded-host.js';

describe('a type', () => {
  for (const name of HOST_TYPES) {
    it(`${name} is found by its name, and lives without any file of the kernel`, async (t) => {
      const file: { readonly hostType: HostType<unknown> } = await import(
        `../../src/workers/host/types/${name.toLowerCase()}.js`
      );
      assert.equal(file.hostType.type, name);
      const host = new RecordedHost(t, 'vm');
      host.remove('proc');
      host.remove('sys');
      const rounds = new RecordedRounds(file.hostType, host.places);
      for (const _ of ['first', 'second']) {
        const points = await rounds.round();
        assert.ok(points.every(({ value }) => Number.isFinite(value)));
        if (name !== 'CPU' && name !== 'SOCKET') assert.deepEqual(points, []);
      }
      assert.deepEqual(
        rounds.warnings.filter((line) => !/NTP/.test(line)),
        [],
      );
    });
  }
});

describe('PSI', () => {
  it('sends what the kernel says of each resource', async (t) => {
    const values = valuesOf(await new RecordedRounds(psi, new RecordedHost(t, 'bare-metal').places).round());
    assert.equal(Object.keys(values).length, 15);
    assert.equal(values['psi.cpu.some.avg10'], 1.5);
    assert.equal(values['psi.memory.full.avg300'], 0.1);
  });
});

describe('SYSTEM', () => {
  it('sends uptime, boot time and the temperatures of thermal zones', async (t) => {
    const values = valuesOf(
      await new RecordedRounds(system, new RecordedHost(t, 'bare-metal').places).round(),
    );
    assert.deepEqual(values, {
      'system.uptime': 864_123,
      'system.boottime': 1_780_000_000,
      'system.temperature{x86_pkg_temp-0}': 45.5,
    });
  });

  it('sends the sensors of chips where there are no zones', async (t) => {
    const host = new RecordedHost(t, 'vm');
    host.write('sys/class/hwmon/hwmon3/name', 'coretemp\n');
    host.write('sys/class/hwmon/hwmon3/temp1_input', '-5000\n');
    host.write('sys/class/hwmon/hwmon3/temp2_input', '');
    const values = valuesOf(await new RecordedRounds(system, host.places).round());
    assert.equal(values['system.temperature{coretemp-3-1}'], -5);
    assert.equal(values['system.temperature{coretemp-3-2}'], undefined);
  });
});

describe('SOCKET', () => {
  it('counts TCP sockets by state', async (t) => {
    const values = valuesOf(
      await new RecordedRounds(socket, new RecordedHost(t, 'bare-metal').places).round(),
    );
    assert.equal(values['net.tcp.state{listen}'], 2);
    assert.equal(values['net.tcp.state{established}'], 1);
    assert.equal(values['net.tcp.state{close-wait}'], 1);
    assert.equal(values['net.tcp.state{syn-recv}'], 0);
  });
});

describe('PORT', () => {
  it('takes a server that accepts and says nothing, and not a port where nobody listens', async (t) => {
    const silent = createServer((connection) => connection.on('error', () => {}));
    const open = await listenOnFreePort(t, silent);
    // None that the kernel might give to somebody else.
    const closed = 1;
    const rounds = new RecordedRounds(port, new RecordedHost(t, 'vm').places);
    const watch = (name: string, number: number, namespace = 'shop') => ({
      namespace,
      name,
      port: number,
      connectTimeoutMs: 20_000,
    });
    const ports = [watch('PORT.a', open), watch('PORT.b', closed), watch('PORT.c', open, 'cache')];
    assert.deepEqual(await rounds.round(60, { plan: { ports } }), [
      { name: 'PORT.a', value: 1, namespace: 'shop' },
      { name: 'PORT.b', value: 0, namespace: 'shop' },
      { name: 'PORT.c', value: 1, namespace: 'cache' },
    ]);
  });
});

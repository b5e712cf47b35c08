import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostType as disk } from '../../src/workers/host/types/disk.js';
import { hostType as net } from '../../src/workers/host/types/net.js';
import { LargeHost } from '../support/large-host.js';
import { RecordedHost, RecordedRounds, valuesOf } from '../support/recorded-host.js';

describe('DISK', () => {
  it('sends rates of whole disks, and none in the first round', async (t) => {
    const host = new RecordedHost(t, 'bare-metal');
    const rounds = new RecordedRounds(disk, host.places);
    assert.deepEqual(await rounds.round(), []);
    host.later();
    assert.deepEqual(valuesOf(await rounds.round()), {
      'disk.io.read_requests{sda}': 20,
      'disk.io.write_requests{sda}': 30,
      'disk.io.await{sda}': 3,
      'disk.io.util{sda}': 50,
      'disk.io.read_bytes{sda}': 819_200,
      'disk.io.write_bytes{sda}': 1_228_800,
      'disk.io.read_requests{sdb}': 0,
      'disk.io.write_requests{sdb}': 30,
      'disk.io.await{sdb}': 4,
      'disk.io.util{sdb}': 30,
      'disk.io.read_bytes{sdb}': 0,
      'disk.io.write_bytes{sdb}': 1_228_800,
    });
  });

  it('measures eight NVMe disks, not their partitions', async (t) => {
    const host = new LargeHost(t);
    const rounds = new RecordedRounds(disk, host.places);
    await rounds.round();
    host.advance();
    const values = valuesOf(await rounds.round());
    assert.equal(Object.keys(values).length, 8 * 6);
    assert.equal(values['disk.io.read_requests{nvme7n1}'], 100);
    assert.equal(values['disk.io.await{nvme7n1}'], 1);
    assert.equal(values['disk.io.util{nvme7n1}'], 50);
  });

  it('takes a disk without partitions that is named like one, if the kernel knows a device behind it', async (t) => {
    const host = new RecordedHost(t, 'container');
    const rounds = new RecordedRounds(disk, host.places);
    host.write('sys/block/xvda1/device/modalias', '');
    const counters = (reads: number) =>
      `202 1 xvda1 ${reads} 0 8 1 0 0 0 0 0 1 1\n202 2 xvda2 ${reads} 0 8 1 0 0 0 0 0 1 1\n`;
    host.write('proc/diskstats', counters(10));
    await rounds.round();
    host.write('proc/diskstats', counters(20));
    const devices = (await rounds.round()).map(({ tags }) => tags?.device);
    assert.deepEqual([...new Set(devices)], ['xvda1']);
  });

  it('gives no point when a counter wrapped, a disk was reset, vanished or is new', async (t) => {
    const host = new RecordedHost(t, 'container');
    const rounds = new RecordedRounds(disk, host.places);
    const line = (name: string, reads: number, readMs: number) =>
      `8 0 ${name} ${reads} 0 0 ${readMs} 0 0 0 0 0 0 0\n`;
    host.write('proc/diskstats', line('sda', 100, 4_294_967_290) + line('sdb', 500, 5));
    await rounds.round();
    host.write('proc/diskstats', line('sda', 110, 4) + line('sdb', 3, 5) + line('sdc', 1, 1));
    assert.deepEqual(await rounds.round(), []);
    host.write('proc/diskstats', line('sda', 120, 14));
    assert.equal(valuesOf(await rounds.round())['disk.io.await{sda}'], 1);
    host.write('proc/diskstats', line('sdc', 1000, 1));
    assert.deepEqual(await rounds.round(), [], 'one that was away may be another one');
  });

  it('reckons with the time that has passed, whatever the clock on the wall says', async (t) => {
    const host = new RecordedHost(t, 'bare-metal');
    const rounds = new RecordedRounds(disk, host.places);
    await rounds.round();
    host.later();
    const values = valuesOf(await rounds.round(20, { nowSeconds: 1 }));
    assert.equal(values['disk.io.read_requests{sda}'], 10);
    assert.equal(values['disk.io.util{sda}'], 25);
  });

  it('is silent where there is no /proc/diskstats', async (t) => {
    const rounds = new RecordedRounds(disk, new RecordedHost(t, 'container').places);
    await rounds.round();
    assert.deepEqual(await rounds.round(), []);
  });
});

describe('NET', () => {
  it('sends rates of interfaces with the prefixes, their speed where it is known, and sockets', async (t) => {
    const host = new RecordedHost(t, 'bare-metal');
    const rounds = new RecordedRounds(net, host.places);
    const sockets = {
      'net.sockets.used': 812,
      'net.tcp.inuse': 45,
      'net.tcp.timewait': 33,
      'net.tcp.orphan': 1,
      'net.udp.inuse': 9,
    };
    const speeds = { 'net.speed{eno1}': 10_000, 'net.speed{bond0}': 10_000 };
    assert.deepEqual(valuesOf(await rounds.round()), { ...sockets, ...speeds });
    host.later();
    const busy = (name: string) => ({
      [`net.in{${name}}`]: 100_000_000,
      [`net.in.percent{${name}}`]: 1,
      [`net.in.dropped{${name}}`]: 0.5,
      [`net.out{${name}}`]: 10_000_000,
      [`net.out.percent{${name}}`]: 0.1,
      [`net.out.dropped{${name}}`]: 0.2,
    });
    assert.deepEqual(valuesOf(await rounds.round()), {
      ...sockets,
      ...speeds,
      ...busy('eno1'),
      ...busy('bond0'),
      'net.in{eno2}': 0,
      'net.in.dropped{eno2}': 0,
      'net.out{eno2}': 0,
      'net.out.dropped{eno2}': 0,
    });
  });

  it('says nothing of a direction whose counter wrapped, and goes on with the other one', async (t) => {
    const host = new RecordedHost(t, 'container');
    const rounds = new RecordedRounds(net, host.places);
    await rounds.round();
    host.later();
    const values = valuesOf(await rounds.round());
    assert.equal(values['net.in{eth0}'], undefined);
    assert.equal(values['net.out{eth0}'], 1000);
  });

  it('takes an interface that was made anew for another one', async (t) => {
    const host = new RecordedHost(t, 'bare-metal');
    const rounds = new RecordedRounds(net, host.places);
    await rounds.round();
    host.later();
    host.write('sys/class/net/eno1/ifindex', '9\n');
    const values = valuesOf(await rounds.round());
    assert.equal(values['net.in{eno1}'], undefined);
    assert.equal(values['net.in{bond0}'], 100_000_000);
  });

  it('follows interfaces that vanish and appear', async (t) => {
    const host = new RecordedHost(t, 'container');
    const rounds = new RecordedRounds(net, host.places);
    const table = (lines: string) => `Inter-|\n face |\n${lines}`;
    await rounds.round();
    host.write('proc/net/dev', table('  eth1: 100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0\n'));
    assert.deepEqual(await rounds.round(), []);
    host.write('proc/net/dev', table('  eth1: 1100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0\n'));
    assert.equal(valuesOf(await rounds.round())['net.in{eth1}'], 800);
  });

  it('measures only interfaces with the prefixes', async (t) => {
    const host = new RecordedHost(t, 'bare-metal');
    const rounds = new RecordedRounds(net, host.places);
    const settings = { settings: { interfacePrefixes: ['docker'] } };
    await rounds.round(10, settings);
    const points = await rounds.round(10, settings);
    const names = new Set(points.flatMap(({ tags }) => tags?.interface ?? []));
    assert.deepEqual([...names], ['docker0']);
  });
});

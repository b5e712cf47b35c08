import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, type NetworkInterfaceInfo, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hostAddresses, readHostIdentity, readSerial } from '../../src/supervisor/registry/host-identity.js';
import { reportBody } from '../../src/supervisor/registry/host-report.js';

function at(address: string, internal = false): NetworkInterfaceInfo {
  const rest = { netmask: '', mac: '', cidr: null, internal };
  return address.includes(':')
    ? { family: 'IPv6', scopeid: 0, address, ...rest }
    : { family: 'IPv4', address, ...rest };
}

describe('the addresses of the host', () => {
  it('are those of interfaces with a name that counts, without loopback and link-local ones', () => {
    const interfaces = {
      lo: [at('127.0.0.1', true), at('::1', true)],
      eth0: [at('10.0.0.5'), at('fe80::1'), at('FEBF::2'), at('2001:db8::5'), at('fec0::7')],
      bond0: [at('169.254.3.4'), at('169.25.3.4'), at('10.0.0.5')],
      docker0: [at('172.17.0.1')],
      enx: undefined,
    };
    assert.deepEqual(hostAddresses(interfaces, ['eth', 'en', 'bond']), [
      '10.0.0.5',
      '2001:db8::5',
      'fec0::7',
      '169.25.3.4',
    ]);
    assert.deepEqual(hostAddresses(interfaces, []), []);
  });
});

describe('the identity of the host', () => {
  it('can be read, also by an ordinary user', () => {
    const identity = readHostIdentity(['eth', 'en']);
    assert.equal(identity.hostname, hostname());
    assert.doesNotMatch(identity.serial, /\s/);
  });

  it('has a serial number without blanks, or none', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'agent-test-'));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'serial'), ' VMware-56 4d 8f\n');
    assert.equal(readSerial(join(folder, 'serial')), 'VMware-564d8f');
    assert.equal(readSerial(join(folder, 'missing')), '');
  });
});

describe('the report', () => {
  const build = { version: '1', commit: 'c', branch: 'b', buildTime: 't', agentType: 'agent' };
  const now = { hostname: 'web-1', addresses: ['10.0.0.5', 'fd00::1'], serial: 's' };
  const known = new Map([
    ['a.shop', { id: 'id-a', items: [], failure: undefined }],
    ['b.shop', { id: '', items: [], failure: undefined }],
  ]);
  const body = (reported: { hostname: string; addresses: string[] } | undefined) =>
    reportBody(build, now, reported, known, new Date(0));

  it('has both names equal at first', () => {
    const { update, oldhostname, newhostname, oldiplist, uuid, ns, utime } = body(undefined);
    assert.deepEqual(
      { update, oldhostname, newhostname },
      { update: false, oldhostname: 'web-1', newhostname: 'web-1' },
    );
    assert.deepEqual(oldiplist, now.addresses);
    assert.deepEqual(uuid, ['id-a']);
    assert.deepEqual(ns, ['a.shop', 'b.shop']);
    assert.equal(utime, '1970-01-01T00:00:00.000Z');
  });

  it('says that something changed when name or addresses did, not when their order did', () => {
    assert.equal(body({ hostname: 'web-1', addresses: ['fd00::1', '10.0.0.5'] }).update, false);
    assert.equal(body({ hostname: 'web-1', addresses: ['10.0.0.5'] }).update, true);
    const renamed = body({ hostname: 'old', addresses: ['fd00::1', '10.0.0.5'] });
    assert.equal(renamed.update, true);
    assert.equal(renamed.oldhostname, 'old');
  });
});

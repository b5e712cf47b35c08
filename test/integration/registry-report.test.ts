import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { startRegistryServer } from '../support/registry-server.js';
import { openRegistry, pluginItem } from '../support/registry-under-test.js';

const named = (hostname: string, addresses: readonly string[] = ['10.0.0.5']) => ({
  identity: () => ({ hostname, addresses, serial: '' }),
});

describe('the report to the registry', () => {
  it('names the host, its namespaces and the agent, and is remembered when it was taken', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', { id: 'id-1', items: [] });
    const { registry, stateFolder } = openRegistry(t, server.address, named('web-1'));
    await registry.sync();
    await registry.report();
    assert.deepEqual(server.violations, []);
    const { utime, ...body } = server.asked('/api/v1/agent/report')[0]?.body ?? {};
    assert.deepEqual(body, {
      uuid: ['id-1'],
      sn: '',
      ns: ['cache.shop'],
      version: '1.0.0',
      commit: 'c0ffee',
      branch: 'main',
      buildtime: '2026-01-01',
      goversion: process.version,
      newhostname: 'web-1',
      oldhostname: 'web-1',
      newiplist: ['10.0.0.5'],
      oldiplist: ['10.0.0.5'],
      agenttype: 'agent',
      update: false,
    });
    assert.match(readFileSync(join(stateFolder, 'reported.json'), 'utf8'), /"web-1"/);
  });

  it('is not sent while nothing is known, and never for a document', async (t) => {
    const server = await startRegistryServer(t);
    await openRegistry(t, server.address).registry.report();
    await openRegistry(t, 'file:/nowhere/registry.json').registry.report();
    assert.deepEqual(server.questions, []);
  });

  it('tells changed addresses until the registry has taken them', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', { id: 'id-1', items: [] });
    const first = openRegistry(t, server.address, named('web-1', ['10.0.0.5']));
    await first.registry.sync();
    await first.registry.report();
    const { registry } = openRegistry(t, server.address, {
      stateFolder: first.stateFolder,
      ...named('web-1', ['10.0.0.6']),
    });
    server.misbehave = ({ path }) =>
      path === '/api/v1/agent/report'
        ? { kind: 'answer', status: 200, type: 'application/json', body: '{"httpstatus":500,"msg":"busy"}' }
        : undefined;
    await assert.rejects(registry.report(), {
      code: 'registry',
      message: /agent\/report answers status 500 .*busy/,
    });
    server.misbehave = () => undefined;
    await registry.report();
    await registry.report();
    assert.deepEqual(
      server.asked('/api/v1/agent/report').map(({ body }) => [body.update, body.oldiplist, body.newiplist]),
      [
        [false, ['10.0.0.5'], ['10.0.0.5']],
        [true, ['10.0.0.5'], ['10.0.0.6']],
        [true, ['10.0.0.5'], ['10.0.0.6']],
        [false, ['10.0.0.6'], ['10.0.0.6']],
      ],
    );
  });

  it('comes before a renamed host asks under its new name', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', { id: 'id-1', items: [pluginItem('redis')] });
    const first = openRegistry(t, server.address, named('old'));
    await first.registry.sync();
    await first.registry.report();
    server.questions.length = 0;

    const { registry, lines } = openRegistry(t, server.address, {
      stateFolder: first.stateFolder,
      ...named('new'),
    });
    server.misbehave = ({ path }) => (path === '/api/v1/agent/report' ? { kind: 'cut' } : undefined);
    assert.equal((await registry.sync()).plugins.length, 1);
    assert.deepEqual(
      server.questions.map(({ path, body }) => [path, body.hostname ?? body.newhostname]),
      [
        ['/api/v1/agent/report', 'new'],
        ['/api/v1/agent/ns', 'old'],
        ['/api/v1/agent/resource', undefined],
      ],
    );
    assert.deepEqual([...server.hosts], ['old']);
    assert.match(lines[0]?.message ?? '', /this host is new now, the registry knows it as old/);

    server.questions.length = 0;
    server.misbehave = () => undefined;
    await registry.sync();
    assert.deepEqual(
      server.questions.map(({ path, body }) => [path, body.hostname ?? [body.oldhostname, body.newhostname]]),
      [
        ['/api/v1/agent/report', ['old', 'new']],
        ['/api/v1/agent/ns', 'new'],
        ['/api/v1/agent/resource', [undefined, undefined]],
      ],
    );
    assert.deepEqual([...server.hosts], ['new']);
  });

  it('comes first, too, where none was ever taken: the registry knows the name that it was asked with', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', { id: 'id-1', items: [] });
    const first = openRegistry(t, server.address, named('old', ['10.0.0.5']));
    await first.registry.sync();
    server.questions.length = 0;
    const { registry } = openRegistry(t, server.address, {
      stateFolder: first.stateFolder,
      ...named('new', ['10.0.0.6']),
    });
    await registry.sync();
    const [report, next] = server.questions;
    assert.deepEqual(
      [report?.path, report?.body.oldhostname, report?.body.newhostname, report?.body.update],
      ['/api/v1/agent/report', 'old', 'new', true],
    );
    assert.deepEqual([report?.body.oldiplist, report?.body.newiplist], [['10.0.0.5'], ['10.0.0.6']]);
    assert.deepEqual([next?.path, next?.body.hostname], ['/api/v1/agent/ns', 'new']);
    assert.deepEqual([...server.hosts], ['new'], 'one machine, renamed');
  });

  it('finds nothing remembered while the registry has not answered who this host is', async (t) => {
    const server = await startRegistryServer(t);
    server.misbehave = () => ({ kind: 'cut' });
    const { registry, stateFolder } = openRegistry(t, server.address);
    await assert.rejects(registry.sync(), { code: 'registry' });
    assert.ok(!existsSync(join(stateFolder, 'reported.json')));
  });

  it('is not remembered when the registry did not take it', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', { id: 'id-1', items: [] });
    const first = openRegistry(t, server.address, named('old'));
    await first.registry.sync();
    const { registry, stateFolder } = openRegistry(t, server.address, {
      stateFolder: first.stateFolder,
      ...named('new'),
    });
    server.misbehave = () => ({
      kind: 'answer',
      status: 400,
      type: 'application/json',
      body: '{"httpstatus":400}',
    });
    await assert.rejects(registry.report(), /answers HTTP 400/);
    assert.match(readFileSync(join(stateFolder, 'reported.json'), 'utf8'), /"old"/);
  });
});

describe('a renamed host whose state folder cannot be written', () => {
  it('does not fall back to its old name after the registry took the new one', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', { id: 'id-1', items: [] });
    const { registry, lines } = openRegistry(t, server.address, {
      stateFolder: '/dev/null/state',
      identity: () => ({ hostname: name, addresses: [], serial: '' }),
    });
    let name = 'old';
    await registry.sync();
    await registry.report();
    name = 'new';
    await registry.sync();
    await registry.sync();
    assert.deepEqual([...server.hosts], ['new']);
    assert.match(
      lines.map(({ message }) => message).join(),
      /after a restart it is not known how the registry knows this host/,
    );
  });
});

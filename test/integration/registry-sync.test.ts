import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { startRegistryServer } from '../support/registry-server.js';
import { openRegistry, pluginItem } from '../support/registry-under-test.js';
import { waitUntil } from '../support/wait-until.js';

const projectsOf = (view: { plugins: readonly { project: string }[] } | undefined) =>
  view?.plugins.map(({ project }) => project);

describe('a sync with the registry', () => {
  it('learns the namespaces, and what each of them collects', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', {
      id: 'id-1',
      items: [pluginItem('redis', { parameters: '-p 6379' })],
    });
    server.resources.set('web.shop', {
      id: 'id-2',
      items: [pluginItem('nginx', { interval: '0' }), { measurement_type: 'CPU', interval: '10' }],
    });
    const { registry } = openRegistry(t, server.address);
    const view = await registry.sync();
    assert.deepEqual(server.violations, []);
    assert.deepEqual(server.asked('/api/v1/agent/ns')[0]?.body, {
      hostname: 'web-1',
      ip: '10.0.0.5,fd00::1',
      sn: 'VM-1',
    });
    assert.deepEqual(view.namespaces, ['cache.shop', 'web.shop']);
    assert.deepEqual(view.resourceIds, { 'cache.shop': 'id-1', 'web.shop': 'id-2' });
    assert.deepEqual(projectsOf(view), ['redis', 'nginx']);
    assert.deepEqual(view.plugins[0]?.parameters, ['-p', '6379']);
    assert.deepEqual(view.plugins[1]?.interval, { kind: 'on-demand' });
    assert.equal(view.hostItems.length, 1);
    assert.deepEqual([view.problems, view.stale], [[], []]);
  });

  it('asks for hundreds of namespaces', async (t) => {
    const server = await startRegistryServer(t);
    for (let i = 0; i < 300; i += 1)
      server.resources.set(`n${i}.shop`, { id: `${i}`, items: [pluginItem('redis')] });
    const { registry } = openRegistry(t, server.address);
    assert.equal((await registry.sync()).plugins.length, 300);
  });

  it('is shared by calls at the same time, and a call after the question gets a newer answer', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', { id: '1', items: [] });
    const { registry } = openRegistry(t, server.address);
    const [one, other] = await Promise.all([registry.sync(), registry.sync()]);
    assert.equal(one, other);
    assert.equal(server.asked('/api/v1/agent/ns').length, 1);

    let late: Promise<unknown>[] = [];
    server.misbehave = ({ path }) => {
      if (path === '/api/v1/agent/resource' && late.length === 0) late = [registry.sync(), registry.sync()];
      return undefined;
    };
    await registry.sync();
    await Promise.all(late);
    assert.equal(server.asked('/api/v1/agent/ns').length, 3);
  });

  it('finds the registry below a path, with credentials that appear nowhere', async (t) => {
    const server = await startRegistryServer(t);
    const address = server.address.replace('://', '://me:secret@');
    const { registry, lines } = openRegistry(t, address);
    await registry.sync();
    assert.equal(server.questions[0]?.authorization, `Basic ${Buffer.from('me:secret').toString('base64')}`);
    const below = openRegistry(t, `${address}/loda`);
    await assert.rejects(below.registry.sync(), (error: Error) => {
      assert.match(error.message, /\/loda\/api\/v1\/agent\/ns answers HTTP 400: "no such path/);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
    assert.doesNotMatch(JSON.stringify(lines), /secret/);
  });

  it('removes plugins when the registry says so: an empty list is an answer', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', { id: '1', items: [pluginItem('redis')] });
    const { registry } = openRegistry(t, server.address);
    assert.equal((await registry.sync()).plugins.length, 1);
    server.resources.set('cache.shop', { id: '1', items: [] });
    const view = await registry.sync();
    assert.deepEqual([view.namespaces, view.plugins], [['cache.shop'], []]);
    server.resources.clear();
    assert.deepEqual((await registry.sync()).namespaces, []);
  });

  it('says once what it does not follow, and again when it comes back', async (t) => {
    const server = await startRegistryServer(t);
    const good = [pluginItem('redis')];
    const bad = [
      pluginItem('x', { name: '../../etc' }),
      pluginItem('y', { git: '--upload-pack=touch /tmp/x' }),
      pluginItem('redis2', { git: 'https://elsewhere.example/other/redis' }),
      { measurement_type: 'GOPLUGIN', name: 'go', interval: '10', params: {} },
    ];
    server.resources.set('cache.shop', { id: '1', items: [...good, ...bad] });
    server.resources.set('Not A Namespace', { id: '2', items: good });
    const { registry, lines } = openRegistry(t, server.address);
    assert.deepEqual(projectsOf(await registry.sync()), ['redis']);
    assert.equal((await registry.sync()).problems.length, 5);
    const said = lines.map(({ message }) => message).join('\n');
    assert.equal(lines.length, 5);
    assert.match(said, /namespace "cache\.shop", item "\.\.\/\.\.\/etc": the name is not made of/);
    assert.match(
      said,
      /namespace "cache\.shop", item "PLUGIN\.y": git address "--upload-pack=touch \/tmp\/x"/,
    );
    assert.match(said, /two projects of the name redis/);
    assert.match(said, /GOPLUGIN/);
    assert.match(said, /"Not A Namespace"/);
    assert.ok(server.asked('/api/v1/agent/resource').every(({ namespace }) => namespace === 'cache.shop'));

    server.resources.set('cache.shop', { id: '1', items: good });
    await registry.sync();
    server.resources.set('cache.shop', { id: '1', items: [...good, ...bad] });
    await registry.sync();
    assert.equal(lines.length, 9);
  });
});

describe('a registry full of problems', () => {
  it('does not fill the log', async (t) => {
    const server = await startRegistryServer(t);
    const items = Array.from({ length: 500 }, (_, i) => pluginItem(`p${i}`, { name: `bad name ${i}` }));
    server.resources.set('cache.shop', { id: '1', items });
    const { registry, lines } = openRegistry(t, server.address);
    assert.equal((await registry.sync()).problems.length, 500);
    assert.equal(lines.length, 101);
    assert.match(lines.at(-1)?.message ?? '', /400 more problems/);
  });
});

describe('the last known good', () => {
  it('is used when the registry is down at start, and the registry is followed again when it is back', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', { id: '1', items: [pluginItem('redis')] });
    const before = openRegistry(t, server.address);
    assert.equal(await before.registry.lastKnown(), undefined);
    await before.registry.sync();
    await before.registry.close();
    assert.equal(statSync(join(before.stateFolder, 'registry.json')).mode & 0o777, 0o600);
    await server.stop();

    const { registry } = openRegistry(t, server.address, { stateFolder: before.stateFolder });
    const known = await registry.lastKnown();
    assert.deepEqual(projectsOf(known), ['redis']);
    assert.deepEqual([known?.resourceIds, known?.stale], [{ 'cache.shop': '1' }, ['cache.shop']]);
    await assert.rejects(registry.sync(), {
      code: 'registry',
      message: /registry http.* refuses connections/,
    });
    assert.deepEqual(projectsOf(await registry.lastKnown()), ['redis']);

    await server.start();
    server.resources.set('cache.shop', { id: '1', items: [pluginItem('redis'), pluginItem('disk')] });
    const view = await registry.sync();
    assert.deepEqual([projectsOf(view), view.stale], [['redis', 'disk'], []]);
  });

  it('is checked like fresh data', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', { id: '1', items: [pluginItem('redis')] });
    const before = openRegistry(t, server.address);
    await before.registry.sync();
    const file = join(before.stateFolder, 'registry.json');
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll('monitor/redis', '../../etc/redis'));
    const { registry } = openRegistry(t, server.address, { stateFolder: before.stateFolder });
    const known = await registry.lastKnown();
    assert.deepEqual(known?.plugins, []);
    assert.match(JSON.stringify(known?.problems), /in its path/);
  });

  it('is set aside when it is damaged, which stops nothing', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', { id: '1', items: [pluginItem('redis')] });
    const before = openRegistry(t, server.address);
    await before.registry.sync();
    const file = join(before.stateFolder, 'registry.json');
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, -20));
    const { registry, lines } = openRegistry(t, server.address, { stateFolder: before.stateFolder });
    assert.equal(await registry.lastKnown(), undefined);
    assert.match(lines[0]?.message ?? '', /damaged .* set aside/);
    assert.deepEqual(projectsOf(await registry.sync()), ['redis']);
    assert.match(readFileSync(file, 'utf8'), /redis/);
  });

  it('that cannot be written is no reason not to follow the registry', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', { id: '1', items: [pluginItem('redis')] });
    const { registry, lines } = openRegistry(t, server.address, { stateFolder: '/dev/null/state' });
    assert.deepEqual(projectsOf(await registry.sync()), ['redis']);
    assert.match(lines.map(({ message }) => message).join(), /would be lost at a restart/);
  });
});

describe('closing', () => {
  it('ends a question under way', async (t) => {
    const server = await startRegistryServer(t);
    server.misbehave = () => ({ kind: 'hang' });
    const { registry } = openRegistry(t, server.address);
    const ended = assert.rejects(registry.sync(), { code: 'registry' });
    await waitUntil('the question is there', () => server.questions.length > 0);
    await registry.close();
    await ended;
    await assert.rejects(registry.sync(), /the agent is stopping/);
  });
});

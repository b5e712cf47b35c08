import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { RegistryView } from '../../src/supervisor/registry/registry-view.js';
import { type Misbehaviour, type Question, startRegistryServer } from '../support/registry-server.js';
import { openRegistry, pluginItem } from '../support/registry-under-test.js';
import { waitUntil } from '../support/wait-until.js';

const json = (value: unknown, status = 200): Misbehaviour => ({
  kind: 'answer',
  status,
  type: 'application/json',
  body: JSON.stringify(value),
});
const ok = (data: unknown) => json({ httpstatus: 200, data, msg: '' });
const text = (body: string | Buffer, status = 200, type = 'text/html'): Misbehaviour => ({
  kind: 'answer',
  status,
  type,
  body,
});

/** On a busy machine good answers take longer now and then, too. */
const SOON = { timeoutMs: 1000 };
const SMALL = { maxAnswerBytes: 100_000 };

/** Every way to answer badly, what is said about it, and settings to have it said soon. */
const BAD: readonly (readonly [string, Misbehaviour, RegExp, object?])[] = [
  [
    '500',
    json({ httpstatus: 500, data: null, msg: 'node not found' }, 500),
    /answers HTTP 500: "node not found"/,
  ],
  ['500 in HTML', text('<html>oops</html>', 500), /HTTP 500.* is not JSON but "text\/html" .*<html>/],
  ['404', json({ httpstatus: 404, msg: '' }, 404), /answers HTTP 404/],
  [
    '200 with another status in its body',
    json({ httpstatus: 500, data: {}, msg: 'no' }),
    /status 500 in its body: "no"/,
  ],
  ['204', { kind: 'answer', status: 204, type: 'application/json', body: '' }, /HTTP 204.* is empty/],
  ['HTML', text('<!DOCTYPE html><title>login</title>'), /is not JSON but "text\/html"/],
  ['nothing', text('', 200, 'application/json'), /is empty/],
  ['half a JSON', text('{"httpstatus":200,"data":{"a', 200, 'application/json'), /is not JSON/],
  ['a JSON list', json([]), /is no JSON object/],
  ['a JSON null', json(null), /is no JSON object/],
  ['no data', json({ httpstatus: 200, msg: '' }), /no data where/],
  ['null for data', ok(null), /null where/],
  ['a text for data', ok('cache.shop'), /a string where/],
  [
    'invalid UTF-8',
    text(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), 200, 'application/json'),
    /proper UTF-8/,
  ],
  [
    'a redirect',
    { kind: 'redirect', location: 'http://me:secret@127.0.0.1:1/x' },
    /redirects to "http:\/\/127\.0\.0\.1:1\/x"/,
  ],
  ['silence', { kind: 'hang' }, /did not (begin|finish)/, SOON],
  ['a beginning only', { kind: 'stop-in-body' }, /stopped in the middle|did not finish/, SOON],
  ['a byte now and then', { kind: 'trickle' }, /did not finish its answer/, SOON],
  ['a cut connection', { kind: 'cut' }, /closed the connection/],
  ['without end', { kind: 'endless' }, /more than the 100000 bytes/, SMALL],
  [
    'too much',
    text(`{"x":"${'x'.repeat(200_000)}"}`, 200, 'application/json'),
    /more than the 100000 bytes/,
    SMALL,
  ],
  [
    'a gzip bomb',
    { kind: 'gzip', body: gzipSync(Buffer.alloc(10_000_000)) },
    /100000 bytes .*decompressed/,
    SMALL,
  ],
  ['what is no gzip', { kind: 'gzip', body: Buffer.from('no gzip') }, /cannot be decompressed/],
];

/** Syncs again and again till just these namespaces are stale. */
function syncedWith(registry: { sync(): Promise<RegistryView> }, stale: string): Promise<RegistryView> {
  return waitUntil(`"${stale}" is stale`, async () => {
    const view = await registry.sync().catch(() => undefined);
    return view?.stale.join() === stale && view;
  });
}

describe('a registry that answers "who am I" with', () => {
  for (const [what, misbehaviour, said, options] of [
    ...BAD,
    ['a list for data', ok([]), /a list where/] as const,
  ]) {
    it(`${what}: is an error that keeps everything known`, async (t) => {
      const server = await startRegistryServer(t);
      server.resources.set('cache.shop', { id: '1', items: [pluginItem('redis')] });
      const { registry, stateFolder } = openRegistry(t, server.address);
      await registry.sync();
      const short = openRegistry(t, server.address, { stateFolder, ...options });
      server.misbehave = () => misbehaviour;
      await assert.rejects(short.registry.sync(), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'registry');
        assert.match(error.message, said);
        assert.match(error.message, /registry/);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
      const view = await short.registry.lastKnown();
      assert.deepEqual([view?.namespaces, view?.plugins.length], [['cache.shop'], 1]);

      server.misbehave = () => undefined;
      await syncedWith(short.registry, '');
    });
  }
});

describe('a registry that answers for one namespace with', () => {
  const onlyFor =
    (namespace: string, misbehaviour: Misbehaviour) =>
    (question: Question): Misbehaviour | undefined =>
      question.namespace === namespace ? misbehaviour : undefined;

  for (const [what, misbehaviour, said, options] of [
    ...BAD,
    ['an object for data', ok({}), /an object where/] as const,
  ]) {
    it(`${what}: keeps that one's items, and follows the others`, async (t) => {
      const server = await startRegistryServer(t);
      server.resources.set('a.shop', { id: '1', items: [pluginItem('redis')] });
      server.resources.set('b.shop', { id: '2', items: [pluginItem('nginx')] });
      const { registry } = openRegistry(t, server.address, options);
      await syncedWith(registry, '');
      server.resources.set('b.shop', { id: '2', items: [pluginItem('disk')] });
      server.misbehave = onlyFor('a.shop', misbehaviour);
      const view = await syncedWith(registry, 'a.shop');
      assert.deepEqual(
        view.plugins.map(({ namespace, project }) => `${namespace} ${project}`),
        ['a.shop redis', 'b.shop disk'],
      );
      assert.equal(view.problems[0]?.namespace, 'a.shop');
      assert.match(view.problems[0]?.reason ?? '', said);
    });
  }

  it('an error from the start: the namespace is known and has no items yet', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('a.shop', { id: '1', items: [pluginItem('redis')] });
    server.misbehave = onlyFor('a.shop', json({ httpstatus: 500, data: null, msg: 'x' }, 500));
    const { registry } = openRegistry(t, server.address);
    const view = await registry.sync();
    assert.deepEqual([view.namespaces, view.plugins, view.stale], [['a.shop'], [], ['a.shop']]);
  });

  it('a good answer in gzip: takes it', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('a.shop', { id: '1', items: [] });
    const body = gzipSync(JSON.stringify({ httpstatus: 200, data: [pluginItem('redis')], msg: '' }));
    server.misbehave = onlyFor('a.shop', { kind: 'gzip', body });
    const { registry } = openRegistry(t, server.address);
    assert.equal((await registry.sync()).plugins.length, 1);
  });
});

describe('a registry that hangs for every namespace', () => {
  it('is not asked for all of them, and the first failures are told with the rest', async (t) => {
    const server = await startRegistryServer(t);
    for (let i = 0; i < 200; i += 1) server.resources.set(`n${i}.shop`, { id: `${i}`, items: [] });
    server.misbehave = ({ path }) => (path === '/api/v1/agent/resource' ? { kind: 'hang' } : undefined);
    const { registry } = openRegistry(t, server.address, { timeoutMs: 300 });
    const view = await waitUntil('it was told the namespaces', () => {
      server.questions.length = 0;
      return registry.sync().catch(() => undefined);
    });
    assert.equal(view.stale.length, 200);
    assert.ok(server.asked('/api/v1/agent/resource').length < 200);
    assert.match(JSON.stringify(view.problems), /not asked for any more/);
  });
});

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { AgentProcess } from '../support/agent-process.js';
import { startRegistryServer } from '../support/registry-server.js';
import { waitUntil } from '../support/wait-until.js';

it('an agent whose host was renamed while it was down reports that before it asks under the new name', async (t) => {
  const server = await startRegistryServer(t);
  server.resources.set('cache.shop', { id: 'id-1', items: [] });
  const first = await AgentProcess.start(t, { registryAddress: server.address });
  await waitUntil('it has asked', () => server.asked('/api/v1/agent/resource').length > 0);
  await waitUntil(
    'it is in its namespace',
    async () => (await first.call('/me/ns')).body.namespaces?.length === 1,
  );
  assert.equal(await first.kill(), 0);

  const reportedFile = join(first.folder, 'state', 'reported.json');
  const before = { version: 1, hostname: 'old-name', addresses: ['10.9.9.9'] };
  writeFileSync(reportedFile, JSON.stringify(before));
  server.hosts.clear();
  server.hosts.add('old-name');
  server.questions.length = 0;
  server.misbehave = ({ path }) =>
    path === '/api/v1/agent/report'
      ? { kind: 'answer', status: 500, type: 'application/json', body: '{"httpstatus":500,"msg":"busy"}' }
      : undefined;
  const second = await AgentProcess.start(t, { registryAddress: server.address, folder: first.folder });
  // The last question of its round.
  await waitUntil('it has asked', () => server.asked('/api/v1/agent/resource').length > 0);
  assert.deepEqual([...server.hosts], ['old-name'], 'not registered under the new name');
  assert.equal(server.asked('/api/v1/agent/ns')[0]?.body.hostname, 'old-name');
  assert.deepEqual(
    JSON.parse(readFileSync(reportedFile, 'utf8')),
    before,
    'not remembered before it was taken',
  );

  server.misbehave = () => undefined;
  server.questions.length = 0;
  assert.equal((await second.call('/update')).status, 200);
  const [report, next] = server.questions;
  assert.equal(report?.path, '/api/v1/agent/report');
  const body: Readonly<Record<string, unknown>> = report?.body ?? {};
  assert.deepEqual(
    [body.oldhostname, body.newhostname, body.oldiplist, body.update, body.uuid, body.ns],
    ['old-name', hostname(), ['10.9.9.9'], true, ['id-1'], ['cache.shop']],
  );
  assert.deepEqual([next?.path, next?.body.hostname], ['/api/v1/agent/ns', hostname()]);
  assert.deepEqual([...server.hosts], [hostname()]);
  assert.equal(JSON.parse(readFileSync(reportedFile, 'utf8')).hostname, hostname());
  assert.deepEqual(server.violations, []);
});

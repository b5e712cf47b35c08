import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { hostname } from 'node:os';
import { describe, it } from 'node:test';
import { AgentProcess } from '../support/agent-process.js';
import { listenOnFreePort } from '../support/free-port.js';
import { HungMount, NO_HUNG_MOUNT } from '../support/hung-mount.js';
import { startRegistryServer } from '../support/registry-server.js';
import { waitUntil } from '../support/wait-until.js';

describe('an agent', () => {
  it('measures its host for all its namespaces without being told to', async (t) => {
    const agent = await AgentProcess.start(t, {
      registry: { 'cache.shop': [], 'web.shop': [] },
      // A mount that hangs, which other tests make on this machine, holds up the round of FS for so long.
      host: 'fstimeout = 3',
      output: 'name = "stdout"\ndatabaseprefix = "collect."',
    });
    const names = (database: string) =>
      new Set(
        agent
          .documents()
          .filter((document) => document.database === database)
          .flatMap(({ points }) => points.map(({ measurement }: { measurement: string }) => measurement)),
      );
    const expected = ['agent.alive', 'cpu.loadavg.1', 'mem.total', 'net.sockets.used', 'kernel.files.max'];
    for (const database of ['collect.cache.shop', 'collect.web.shop']) {
      await waitUntil(`${database} has them`, () => expected.every((name) => names(database).has(name)));
    }
    for (const document of agent.documents()) {
      assert.equal(document.precision, 's');
      for (const { tags, fields, timestamp } of document.points) {
        assert.equal(tags.host, hostname());
        assert.equal(typeof fields.value, 'number');
        assert.ok(Number.isInteger(timestamp));
      }
    }
    const measured = await waitUntil('the status counts', async () => {
      const { body } = await agent.call('/me/status');
      return body.measured.find(({ type }: { type: string }) => type === 'CPU');
    });
    assert.ok(measured.rounds >= 1 && measured.points >= 2 * 4);
  });

  it('watches ports and executables for the namespaces that ask for it, as their items change', async (t) => {
    const open = await listenOnFreePort(t, createServer());
    const port = {
      measurement_type: 'PORT',
      name: `PORT.test.${open}`,
      port: String(open),
      connect_timeout: '20',
    };
    const process_ = { measurement_type: 'PROC', name: 'PROC.node', bin_path: process.execPath };
    const bad = { measurement_type: 'PORT', name: 'PORT.bad', port: 'ssh' };
    const agent = await AgentProcess.start(t, {
      registry: { 'cache.shop': [port, bad], 'web.shop': [] },
      host: 'collect = ["PORT", "PROC"]',
    });
    const sent = (name: string) =>
      agent
        .documents()
        .flatMap(({ database, points }) =>
          points
            .filter(({ measurement }) => measurement === name)
            .map(({ fields }) => [database, fields.value]),
        );
    await waitUntil('the port is told', () => sent(`PORT.test.${open}`).length > 0);
    assert.deepEqual(sent(`PORT.test.${open}`), [['cache.shop', 1]]);
    assert.match(agent.stderr, /namespace "cache\.shop", item "PORT\.bad": port "ssh" is no number/);
    const { body } = await agent.call('/update');
    assert.match(body.problems.join(), /cache\.shop PORT\.bad: port "ssh"/);
    agent.changeRegistry({ 'cache.shop': [], 'web.shop': [process_] });
    await waitUntil('the processes are told', () => sent('PROC.node.procnum').length > 0);
    const [database, count] = sent('PROC.node.procnum')[0] ?? [];
    assert.equal(database, 'web.shop');
    assert.ok(Number(count) >= 2, 'this test and the agent');
  });

  it('measures nothing before the registry has answered', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', { id: 'id-1', items: [{ measurement_type: 'CPU', interval: '10' }] });
    server.misbehave = () => ({ kind: 'hang' });
    const agent = await AgentProcess.start(t, {
      registryAddress: server.address,
      agent: 'registrytimeout = 0.5',
      host: 'collect = ["CPU", "MEM"]',
    });
    await waitUntil('it was asked', () => server.questions.length > 0);
    assert.deepEqual((await agent.call('/me/status')).body.measured, []);
    assert.deepEqual(agent.documents(), []);
    server.misbehave = () => undefined;
    await waitUntil('it measures', () => agent.documents().length > 0);
    assert.ok(agent.documents().every(({ database }) => database === 'cache.shop'));
  });
});

describe('an agent with a file system that hangs', { skip: NO_HUNG_MOUNT }, () => {
  it('tells it, and ends when it is asked to', async (t) => {
    const hung = new HungMount(t);
    const agent = await AgentProcess.start(t, {
      registry: { 'web.shop': [] },
      host: 'collect = ["FS"]\nfstimeout = 0.5',
    });
    const told = await waitUntil('it is told', () => {
      const points = agent.documents().flatMap(({ points }) => points);
      const found = points.filter(({ tags }) => tags.mount === hung.path);
      return found.length > 0 && found;
    });
    assert.deepEqual(
      told.map(({ measurement, fields }) => [measurement, fields.value]),
      [['fs.files.rw', 0]],
    );
    assert.equal(await agent.kill('SIGTERM'), 0);
    assert.match(agent.stderr, /INFO {4}stopped\n$/);
    assert.ok(!existsSync(agent.socketPath));
  });
});

describe('PORT', () => {
  it('gives up on a port whose queue is full after its own time-out', async (t) => {
    // A server that accepts nothing: stopped after it began to listen, with room for one connection.
    const program = `const s = require('net').createServer();
      s.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port));`;
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    const [text] = await once(child.stdout, 'data');
    const port = Number(String(text));
    child.kill('SIGSTOP');
    const fillers = Array.from({ length: 8 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    t.after(() => {
      for (const filler of fillers) filler.destroy();
    });
    await waitUntil('the queue takes no more', () => fillers.some(({ connecting }) => !connecting));
    const open = await listenOnFreePort(t, createServer());
    const item = (name: string, number: number, timeout: string) => ({
      measurement_type: 'PORT',
      name,
      port: String(number),
      connect_timeout: timeout,
    });
    const agent = await AgentProcess.start(t, {
      registry: { 'web.shop': [item('PORT.full', port, '0.5'), item('PORT.open', open, '20')] },
      host: 'collect = ["PORT"]',
    });
    await waitUntil('both are told', () => agent.documents().length > 0);
    const values = agent.documents()[0]?.points.map(({ measurement, fields }) => [measurement, fields.value]);
    assert.deepEqual(values, [
      ['PORT.full', 0],
      ['PORT.open', 1],
    ]);
  });
});

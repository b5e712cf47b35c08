import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AgentProcess } from '../support/agent-process.js';
import { nsqdSkipReason, startNsqd } from '../support/nsqd.js';
import { ascending, numbersAt, postNumbers, upTo } from '../support/numbered-points.js';
import { segmentPaths } from '../support/spool-files-on-disk.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const skip = nsqdSkipReason;

for (const mode of ['overflow', 'always']) {
  test(`mode ${mode}: stops in the middle of a drain bring no point twice, and lose none`, {
    skip,
  }, async (t) => {
    const nsqd = await startNsqd(t);
    await nsqd.stop();
    const options = { output: `servers = ["${nsqd.tcpAddress}"]`, spool: `mode = "${mode}"` };
    let agent = await AgentProcess.start(t, options);
    const posts = 40;
    for (let n = 0; n < posts; n += 1) {
      assert.equal((await postNumbers(agent, 500, n * 500, 'x'.repeat(200))).status, 200);
    }
    await nsqd.start();
    for (let start = 0; start < 4; start += 1) {
      assert.equal(await agent.kill('SIGTERM'), 0);
      agent = await AgentProcess.start(t, { ...options, folder: agent.folder });
    }
    await waitUntil('all is delivered', async () => (await agent.outputStatus()).lagPoints === 0);
    assert.equal(await agent.kill('SIGTERM'), 0);
    assert.deepEqual(ascending(await numbersAt(nsqd)), upTo(posts * 500));
  });
}

test('what was delivered is forgotten soon, so that a kill -9 later brings nothing twice', {
  skip,
}, async (t) => {
  const nsqd = await startNsqd(t);
  const options = { output: `servers = ["${nsqd.tcpAddress}"]`, spool: 'mode = "always"' };
  let agent = await AgentProcess.start(t, options);
  const folder = join(agent.folder, 'state', 'spool', 'nsq');
  for (let n = 0; n < 3; n += 1) {
    assert.equal((await postNumbers(agent, 1000, n * 1000)).status, 200);
    await waitUntil('it is delivered', async () => (await agent.outputStatus()).lagPoints === 0);
    await waitUntil('it is forgotten', () => segmentPaths(folder).length === 0);
    await agent.kill('SIGKILL');
    agent = await AgentProcess.start(t, { ...options, folder: agent.folder });
  }
  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.deepEqual(ascending(await numbersAt(nsqd)), upTo(3000));
});

test('what waits is delivered in another mode too, and said when it is not', { skip }, async (t) => {
  const nsqd = await startNsqd(t);
  await nsqd.stop();
  const output = `servers = ["${nsqd.tcpAddress}"]`;
  let agent = await AgentProcess.start(t, { output, spool: 'mode = "always"' });
  const { folder } = agent;
  const next = async (spool: string, alias = '') => {
    assert.equal(await agent.kill('SIGTERM'), 0);
    agent = await AgentProcess.start(t, { output: `${output}\n${alias}`, spool, folder });
  };
  assert.equal((await postNumbers(agent, 10)).status, 200);
  await next('mode = "overflow"');
  assert.equal((await agent.outputStatus()).diskPoints, 10);
  assert.equal((await postNumbers(agent, 10, 10)).status, 200);

  await next('mode = "off"');
  assert.match(
    agent.stderr,
    /WARN.*points of an earlier run lie in .*spool\/nsq .*not delivered, as \[spool\] mode is "off"/,
  );
  await next('mode = "overflow"', 'alias = "renamed"');
  assert.match(agent.stderr, /WARN.*lie in .*spool\/nsq .*no output has the alias "nsq"/);
  assert.equal((await agent.outputStatus('renamed')).diskPoints, 0);

  await nsqd.start();
  await next('mode = "overflow"');
  assert.doesNotMatch(agent.stderr, /lie in/);
  await waitUntil('all is delivered', async () => (await agent.outputStatus()).lagPoints === 0);
  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.deepEqual(ascending(await numbersAt(nsqd)), upTo(20));
});

test('the spool lies where dir says, also from the home folder on, under a long alias', {
  skip,
}, async (t) => {
  const nsqd = await startNsqd(t);
  await nsqd.stop();
  const home = temporaryFolder(t);
  assert.notEqual(home, homedir());
  const alias = `a${'-'.repeat(30)}z`;
  const agent = await AgentProcess.start(t, {
    output: `servers = ["${nsqd.tcpAddress}"]\nalias = "${alias}"`,
    spool: 'dir = "~/deep/er/spool"',
    environment: { HOME: home },
  });
  assert.equal((await postNumbers(agent, 10)).status, 200);
  assert.ok(existsSync(join(home, 'deep/er/spool', alias)));
  assert.equal(existsSync(join(agent.folder, 'state', 'spool')), false);
});

test('a second agent on the same folder is kept out of it, says so, delivers, and has it when the first is gone', {
  skip,
}, async (t) => {
  const nsqd = await startNsqd(t);
  const options = {
    output: `servers = ["${nsqd.tcpAddress}"]`,
    spool: `dir = "${temporaryFolder(t)}/spool"`,
  };
  const first = await AgentProcess.start(t, options);
  await first.outputStatus();
  const second = await AgentProcess.start(t, options);
  await waitUntil('it is said', () => second.stderr.includes(`in use by the process with pid ${first.pid}`));
  assert.equal((await postNumbers(second, 10)).status, 200);
  await nsqd.stop();
  assert.equal((await postNumbers(first, 10, 10)).status, 200);
  await first.kill('SIGKILL');
  await waitUntil('the second has the folder', () => /points can wait on disk again/.test(second.stderr));
  assert.equal((await postNumbers(second, 10, 20)).status, 200);
  await nsqd.start();
  await waitUntil('all is delivered', async () => (await second.outputStatus()).lagPoints === 0);
  assert.deepEqual(ascending(await numbersAt(nsqd)), upTo(30));
});

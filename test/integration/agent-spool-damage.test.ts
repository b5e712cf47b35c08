import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AgentProcess } from '../support/agent-process.js';
import { httpRequest } from '../support/http-request.js';
import { type Nsqd, nsqdSkipReason, startNsqd } from '../support/nsqd.js';
import { numbersAt, postNumbers } from '../support/numbered-points.js';
import { segmentPaths } from '../support/spool-files-on-disk.js';
import { waitUntil } from '../support/wait-until.js';

const skip = nsqdSkipReason;

const POSTS = 60;
const POINTS = 500;

/** An agent that has left 30,000 points in several files on disk, as nsqd was away. */
async function leaveBacklog(t: TestContext, nsqd: Nsqd) {
  await nsqd.stop();
  const options = {
    output: `servers = ["${nsqd.tcpAddress}"]\nmaxmessagesize = 300000`,
    spool: 'maxbytes = 16777216',
  };
  const agent = await AgentProcess.start(t, options);
  for (let n = 0; n < POSTS; n += 1) {
    const { status } = await postNumbers(agent, POINTS, n * POINTS, 'x'.repeat(100));
    assert.equal(status, 200);
  }
  assert.equal(await agent.kill('SIGTERM'), 0);
  await nsqd.start();
  const folder = join(agent.folder, 'state', 'spool', 'nsq');
  assert.ok(segmentPaths(folder).length >= 5, 'there are several files');
  const restart = () => AgentProcess.start(t, { ...options, folder: agent.folder });
  return { folder, restart };
}

test('damaged files: the sound part arrives, the rest is set aside, named in the log and counted', {
  skip,
}, async (t) => {
  const nsqd = await startNsqd(t);
  const { folder, restart } = await leaveBacklog(t, nsqd);
  const [flipped = '', cut = '', removed = '', headless = ''] = segmentPaths(folder);
  const bytes = readFileSync(flipped);
  bytes.fill(0xff, bytes.length / 2, bytes.length / 2 + 2000);
  writeFileSync(flipped, bytes);
  truncateSync(cut, Math.floor(readFileSync(cut).length / 2));
  rmSync(removed);
  const other = readFileSync(headless);
  other.fill(0, 0, 60);
  writeFileSync(headless, other);
  writeFileSync(join(folder, '0000000000000001-00000000.segment'), 'garbage');
  writeFileSync(join(folder, 'notes.txt'), 'of somebody else');
  mkdirSync(join(folder, '0000000000900000-00000000.segment', 'deep'), { recursive: true });

  const agent = await restart();
  await waitUntil('what is sound is delivered', async () => (await agent.outputStatus()).lagPoints === 0);
  const { droppedPoints, deliveredPoints } = await agent.outputStatus();
  const arrived = await numbersAt(nsqd);
  assert.equal(new Set(arrived).size, arrived.length, 'nothing comes twice');
  assert.equal(arrived.length, deliveredPoints);
  assert.ok(arrived.length > (POSTS * POINTS) / 2, `${arrived.length} arrived`);
  assert.ok(droppedPoints.damaged >= POINTS, `${droppedPoints.damaged} are counted`);
  assert.equal(droppedPoints.full, 0);
  const metrics = (await httpRequest(agent.socketPath, '/metrics')).text;
  assert.match(metrics, new RegExp(`reason="damaged"[^\\n]*} ${droppedPoints.damaged}\\n`));
  for (const path of [flipped, cut, headless]) {
    assert.match(agent.stderr, new RegExp(`ERROR.*${basename(path)}.*(damaged|cut)`));
  }
  assert.match(
    agent.stderr,
    /ERROR.*0000000000900000-00000000\.segment.*unusable: it is no regular file|directory/,
  );
  const files = readdirSync(folder);
  assert.ok(
    files.some((file) => file.startsWith(`${basename(flipped)}.damaged`)),
    files.join(),
  );
  assert.ok(files.includes('notes.txt'));
  assert.equal((await postNumbers(agent, 1, 1_000_000)).status, 200);
  assert.deepEqual(await numbersAt(nsqd), [1_000_000]);
});

test('a folder that is removed under a running agent costs what was in it, counted, and it works on', {
  skip,
}, async (t) => {
  const nsqd = await startNsqd(t);
  await nsqd.stop();
  const agent = await AgentProcess.start(t, { output: `servers = ["${nsqd.tcpAddress}"]` });
  for (let n = 0; n < 3; n += 1) assert.equal((await postNumbers(agent, 10, n * 10)).status, 200);
  rmSync(join(agent.folder, 'state', 'spool'), { recursive: true });
  await waitUntil('it is said', () => /somebody removed it/.test(agent.stderr));
  assert.equal((await postNumbers(agent, 10, 100)).status, 200);
  await nsqd.start();
  await waitUntil('the rest is delivered', async () => (await agent.outputStatus()).lagPoints === 0);
  const arrived = await numbersAt(nsqd);
  const { droppedPoints, acceptedPoints } = await agent.outputStatus();
  assert.equal(acceptedPoints, 40);
  assert.equal(arrived.length + droppedPoints.damaged, 40);
  assert.ok(arrived.includes(109));
});

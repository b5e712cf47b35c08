import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { codeOf } from '../../src/shared/coded-error.js';
import { AgentProcess } from '../support/agent-process.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

function metrics(count: number, first = 0): string {
  return JSON.stringify(Array.from({ length: count }, (_, n) => ({ name: 'numbered', value: first + n })));
}

/** An agent whose stdout is a pipe that the test reads as it likes. */
async function startOnPipe(t: TestContext) {
  const path = join(temporaryFolder(t), 'pipe');
  execFileSync('mkfifo', [path]);
  const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writing = openSync(path, constants.O_WRONLY);
  const agent = await AgentProcess.start(t, {
    output: 'name = "stdout"\nresponsetimeout = 1',
    spool: 'mode = "off"',
    stdout: writing,
  });
  closeSync(writing);
  return { agent, reading };
}

/** What is in the pipe now. */
function readAll(descriptor: number): string {
  const chunk = Buffer.alloc(256 * 1024);
  let text = '';
  try {
    for (let bytes = 1; bytes > 0; ) {
      bytes = readSync(descriptor, chunk);
      text += chunk.toString('latin1', 0, bytes);
    }
  } catch (thrown) {
    if (codeOf(thrown) !== 'EAGAIN') throw thrown;
  }
  return text;
}

test('an agent whose stdout is not read waits with what does not fit, and goes on with whole lines', async (t) => {
  const { agent, reading } = await startOnPipe(t);
  assert.equal((await agent.call('/post?ns=web.shop', metrics(1))).status, 200);
  const late = await agent.call('/post?ns=web.shop', metrics(5000, 1));
  assert.equal(late.status, 503);
  const stalled = /cannot write points to stdout: whatever reads it has taken nothing for 5 s/;
  await waitUntil('the log says why', () => stalled.test(agent.stderr));
  let text = '';
  const post = agent.call('/post?ns=web.shop', metrics(5000, 5001));
  await waitUntil('all is read', () => {
    text += readAll(reading);
    return text.endsWith('\n') && text.includes('"value":10000}');
  });
  assert.equal((await post).status, 200);
  const values = text
    .trim()
    .split('\n')
    .flatMap((line) =>
      JSON.parse(line).points.map((point: { fields: { value: unknown } }) => point.fields.value),
    );
  assert.deepEqual(
    values,
    Array.from({ length: 10_001 }, (_, n) => n),
  );
  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.doesNotMatch(agent.stderr, /could not be delivered/);
  closeSync(reading);
});

test('an agent whose stdout nobody reads any more ends when asked, and says what it could not deliver', async (t) => {
  const { agent, reading } = await startOnPipe(t);
  const post = agent.call('/post?ns=web.shop', metrics(5000));
  await waitUntil('the pipe is full', async () => (await agent.outputStatus()).memoryPoints === 5000);
  const ended = agent.kill('SIGTERM');
  assert.equal((await post).status, 503);
  assert.equal(await ended, 0);
  assert.match(agent.stderr, /lost 5000 points in 1 document that could not be delivered within 10 s/);
  closeSync(reading);
});

test('an agent whose stdout is closed lives on and says so', async (t) => {
  const { agent, reading } = await startOnPipe(t);
  closeSync(reading);
  assert.equal((await agent.call('/post?ns=web.shop', metrics(2))).status, 503);
  assert.match(agent.stderr, /cannot write points to stdout: EPIPE/);
  assert.match((await agent.outputStatus()).state, /cannot write to stdout/);
  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.match(agent.stderr, /lost 2 points in 1 document that could not be delivered/);
});

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type AgentOptions, AgentProcess } from '../support/agent-process.js';
import { readLines, type WrittenEvent } from '../support/go-feed.js';
import { builtGoOutput, goSkipReason } from '../support/go-outputs.js';
import { httpRequest } from '../support/http-request.js';
import { type Nsqd, nsqdSkipReason, startNsqd } from '../support/nsqd.js';
import { ascending, numbersAt, postNumbers, upTo } from '../support/numbered-points.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const options = { skip: goSkipReason || nsqdSkipReason };

/** A table `[[outputs]]` of an instance of the plugin `behaves` that writes to the folder. */
function instance(
  alias: string,
  folder: string,
  lines = '',
  properties: Readonly<Record<string, string>> = {},
): string {
  const own = { id: alias, events: join(folder, 'events'), calls: join(folder, 'calls'), ...properties };
  const entries = Object.entries(own).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  return `[[outputs]]
name = "go"
alias = "${alias}"
library = "${builtGoOutput('behaves')}"
match = "*"
flush = 0.1
${lines}
properties = { ${entries.join(', ')} }
`;
}

function withNsq(nsqd: Nsqd, outputs: string): AgentOptions {
  return { output: `servers = ["${nsqd.tcpAddress}"]\nalias = "main"`, outputs };
}

/** The numbers that an instance has written, each as often as it did. */
function numbersOf(folder: string, id: string): number[] {
  return readLines(join(folder, 'events'))
    .map((line): WrittenEvent => JSON.parse(line))
    .filter((event) => event.id === id && event.record.measurement === 'numbered')
    .map(({ record }) => Number(record.value));
}

test(
  'crashes, refusals and retries of plugins cost the agent nothing, and nsqd gets every point once',
  options,
  async (t) => {
    const folder = temporaryFolder(t);
    const nsqd = await startNsqd(t);
    await nsqd.createChannel('collect.web.shop');
    const outputs = [
      instance('good', folder),
      instance('panics', folder, '', { panic_on: '3' }),
      instance('retries', folder, 'retry_limit = "no_limits"', { retries: '1' }),
      instance('refuses', folder, '', { refuse: 'numbered' }),
      instance('dies', folder, '', { init_exits: 'true' }),
    ].join('\n');
    const agent = await AgentProcess.start(t, withNsq(nsqd, outputs));
    for (let first = 0; first < 300; first += 10) {
      assert.equal((await postNumbers(agent, 10, first)).status, 200);
    }
    const arrived = (id: string) => new Set(numbersOf(folder, id)).size;
    for (const id of ['good', 'panics', 'retries'])
      await waitUntil(`${id} has all`, () => arrived(id) === 300, 180_000);
    await waitUntil(
      'the refusals are counted',
      async () => (await agent.outputStatus('refuses')).setAsidePoints === 300,
    );
    assert.deepEqual(ascending(await numbersAt(nsqd)), upTo(300));
    // What has written its points has not said so yet, and a process may end once more over what it has done already.
    const listed = await waitUntil('the good one runs and has said that it has all', async () => {
      const found = await pluginOutputs(agent);
      const good = found.find(({ instance }) => instance === 'good');
      return good?.state === 'running' && good.deliveredPoints === 300 && found;
    });
    const byName = new Map(listed.map((one) => [one.instance, one]));
    assert.deepEqual([...byName.keys()], ['good', 'panics', 'retries', 'refuses', 'dies']);
    assert.equal(byName.get('good')?.library, builtGoOutput('behaves'));
    assert.match(String(byName.get('panics')?.lastError), /its process ended: .*panic: the plugin panics/);
    assert.match(String(byName.get('dies')?.lastError), /exit code 3/);
    assert.ok((listed[2]?.chunks.retry ?? 0) >= 1);
    const { text } = await httpRequest(agent.socketPath, '/metrics');
    assert.match(
      text,
      /agent_output_plugin_chunks_total\{output="good",library="[^"]+behaves\.so",result="ok"\} [1-9]/,
    );
    assert.match(text, /agent_output_plugin_state\{output="good",library="[^"]+",state="running"\} 1/);
    assert.match(
      agent.stderr,
      /300 points|points of web\.shop were refused and set aside in .*refuses\.refused/,
    );
    assert.equal(await agent.kill(), 0);
    assert.ok(readLines(join(folder, 'calls')).some((call) => call.startsWith('good exit')));
  },
);

test(
  'an agent that is killed leaves no host behind, and the next one delivers what was put off',
  options,
  async (t) => {
    const folder = temporaryFolder(t);
    const nsqd = await startNsqd(t);
    const lines = 'retry_limit = "no_limits"';
    const agent = await AgentProcess.start(
      t,
      withNsq(nsqd, instance('late', folder, lines, { retry: 'numbered' })),
    );
    assert.equal((await postNumbers(agent, 20)).status, 200);
    await waitUntil('they are put off', async () => (await pluginOutputs(agent))[0]?.retriesWaiting === 1);
    await waitUntil('they are on disk', async () => (await agent.outputStatus('late')).diskPoints === 20);
    const pid = await hostPid(agent);
    assert.ok(existsSync(`/proc/${pid}`));
    await agent.kill('SIGKILL');
    await waitUntil('the host is gone', () => !existsSync(`/proc/${pid}`));
    const next = await AgentProcess.start(t, {
      ...withNsq(nsqd, instance('late', folder, lines)),
      folder: agent.folder,
    });
    await waitUntil('they are delivered', () => numbersOf(folder, 'late').length >= 20);
    assert.deepEqual(ascending(new Set(numbersOf(folder, 'late'))), upTo(20));
    assert.equal(await next.kill(), 0);
  },
);

test('the memory of the agent never holds the library', options, async (t) => {
  const folder = temporaryFolder(t);
  const nsqd = await startNsqd(t);
  const agent = await AgentProcess.start(t, withNsq(nsqd, instance('one', folder)));
  assert.equal((await postNumbers(agent, 1)).status, 200);
  await waitUntil('it is delivered', () => numbersOf(folder, 'one').length === 1);
  const pid = await hostPid(agent);
  assert.match(mapsOf(pid), /behaves\.so/);
  assert.doesNotMatch(mapsOf(agent.pid), /behaves\.so/);
});

test(
  'a stop keeps to the grace of a plugin that hangs, and what it had is delivered by the next start',
  options,
  async (t) => {
    const folder = temporaryFolder(t);
    const hanging = join(folder, 'hanging');
    const nsqd = await startNsqd(t);
    const agent = await AgentProcess.start(
      t,
      withNsq(nsqd, instance('hangs', folder, 'grace = 1', { hang_on: '1', once: hanging })),
    );
    assert.equal((await postNumbers(agent, 5)).status, 200);
    await waitUntil('it hangs', () => existsSync(hanging));
    await waitUntil('they are on disk', async () => (await agent.outputStatus('hangs')).diskPoints >= 5);
    assert.equal(await agent.kill(), 0);
    assert.match(agent.stderr, /does not end within its grace, and is killed/);
    await AgentProcess.start(t, { ...withNsq(nsqd, instance('hangs', folder)), folder: agent.folder });
    await waitUntil('they are delivered', () => new Set(numbersOf(folder, 'hangs')).size === 5);
  },
);

function mapsOf(pid: number): string {
  return readFileSync(`/proc/${pid}/maps`, 'latin1');
}

/** Pid of the process that has the first output's library. */
async function hostPid(agent: AgentProcess): Promise<number> {
  const pid = (await pluginOutputs(agent))[0]?.pid;
  assert.ok(pid !== undefined);
  return pid;
}

/** A busy publisher may leave the question unanswered: it is asked again. */
async function pluginOutputs(agent: AgentProcess) {
  return waitUntil('the publisher answers', async () => {
    const { status, body } = await agent.call('/plugins/outputs');
    return status === 200 && body.outputs;
  });
}

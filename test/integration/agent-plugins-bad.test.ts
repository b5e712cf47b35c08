import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AgentProcess } from '../support/agent-process.js';
import type { RepositoryContent } from '../support/git-repository.js';
import { PluginRepositories, PRINT_UP, pluginItem, pointsOf } from '../support/plugin-item.js';
import { processesWithVariable, UNTIL_IN_OWN_SESSION } from '../support/processes.js';
import { waitUntil } from '../support/wait-until.js';

/** Seconds. A run has half a second less, of which a busy machine takes the better part. */
const INTERVAL = '6';
/** Of those that hang, so that nobody waits long for their end. */
const HANGING_INTERVAL = '2';

interface BadPlugin {
  readonly content: string | RepositoryContent;
  /** `INTERVAL` where it has none of its own. */
  readonly interval?: string;
  /** Status and value of its run metric; undefined for one that never gets to a run. */
  readonly run: readonly [status: string, value: number] | undefined;
  /** Points of its own in each run. */
  readonly points?: number;
  /** What the log says of it. */
  readonly sentence: RegExp;
}

const BAD: Readonly<Record<string, BadPlugin>> = {
  nothing: { content: ':', run: ['output', 65], sentence: /plugin nothing was not understood.*empty/ },
  half: {
    content: `printf '[{"name":"a","val'`,
    run: ['output', 65],
    sentence: /plugin half was not understood.*not JSON/,
  },
  huge: {
    content: 'head -c 100000000 /dev/zero',
    run: ['output', 65],
    sentence: /plugin huge was ended because it printed more than 8388608 bytes/,
  },
  binary: {
    content: 'head -c 100000 /proc/self/exe',
    run: ['output', 65],
    sentence: /plugin binary was not understood.*UTF-8/,
  },
  some: {
    content: `echo '[{"name":"a","value":1},{"name":"b c","value":1},{"name":"d"},{"name":"e","value":2}]'`,
    run: ['ok', 0],
    points: 2,
    sentence: /plugin some printed 2 bad metrics of 4/,
  },
  nan: {
    content: `echo '[{"name":"a","value":NaN}]'`,
    run: ['output', 65],
    sentence: /plugin nan was not understood.*NaN/,
  },
  nested: {
    content: `echo '[{"name":"a","value":{"b":[1]}},{"name":"c","value":1,"tags":{"d":{"e":1}}}]'`,
    run: ['ok', 0],
    sentence: /plugin nested printed 2 bad metrics of 2/,
  },
  many: {
    content: `awk 'BEGIN { printf "["; for (i = 1; i < 50000; i++) printf "{\\"name\\":\\"n\\",\\"value\\":%d},", i; print "{\\"name\\":\\"n\\",\\"value\\":0}]" }'`,
    run: ['ok', 0],
    points: 50_000,
    sentence: /plugin [^ ]*\/many was fetched/,
  },
  three: { content: 'echo why >&2; exit 3', run: ['exit', 3], sentence: /plugin three exited with code 3/ },
  mode: {
    content: { plugin: '#!/bin/sh\n', executables: [] },
    run: undefined,
    sentence: /plugin [^ ]*\/mode could not be fetched from .*"plugin" is not executable/,
  },
  interpreter: {
    content: { plugin: '#!/nonexistent/python3\n' },
    run: ['spawn', 127],
    sentence: /plugin interpreter could not be started: the interpreter "\/nonexistent\/python3"/,
  },
  closing: {
    content: 'exec >&-; exec sleep 600',
    interval: HANGING_INTERVAL,
    run: ['timeout', 124],
    sentence: /plugin closing took longer than 1500 ms and was ended/,
  },
  daemon: {
    content: `setsid sleep 600 &\n${UNTIL_IN_OWN_SESSION}\necho '[{"name":"a","value":1}]'`,
    run: ['ok', 0],
    points: 1,
    sentence:
      /plugin daemon left processes behind that kept its output open or outlived its end; they were ended/,
  },
  stubborn: {
    content: `trap '' TERM; while :; do sleep 600; done`,
    interval: HANGING_INTERVAL,
    run: ['timeout', 124],
    sentence: /plugin stubborn took longer than 1500 ms and was ended/,
  },
  suicidal: {
    content: `rm -rf "$PWD" 2>/dev/null; echo '[{"name":"a","value":1}]'`,
    run: ['ok', 0],
    points: 1,
    sentence: /plugin [^ ]*\/suicidal was fetched/,
  },
};

test('bad plugins of every kind each get their run metric and a sentence, and disturb no other', async (t) => {
  const namespace = `bad-${randomUUID().slice(0, 8)}.shop`;
  const repositories = new PluginRepositories(t);
  const good = pluginItem('good', repositories.make('good', PRINT_UP), INTERVAL);
  const bad = Object.entries(BAD).map(([name, { content, interval = INTERVAL }]) =>
    pluginItem(name, repositories.make(name, content), interval),
  );
  const agent = await AgentProcess.start(t, {
    registry: { [namespace]: [good] },
    runner: 'grace = 0.3\nthreads = 1',
  });
  const runs = (name: string) => pointsOf(agent, `plugin.${name}`);
  // From then on the thread that runs plugins has what it keeps.
  await waitUntil('the good one has run', () => runs('good').length > 0);
  const before = descriptors(agent.pid);
  agent.changeRegistry({ [namespace]: [good, ...bad] });

  for (const [name, { run }] of Object.entries(BAD)) {
    if (run !== undefined) await waitUntil(`${name} has run`, () => runs(name).length > 0);
  }
  // What was ended with all that it had started is started again, and comes as far as before.
  await waitUntil('one was ended twice', () => runs('stubborn').length > 1);
  assert.deepEqual(
    runs('stubborn').map(({ tags }) => tags.status),
    runs('stubborn').map(() => 'timeout'),
  );
  const soFar = runs('good').length;
  await waitUntil('the good one ran all the time', () => runs('good').length >= soFar + 1);

  for (const [name, { run, points = 0, sentence }] of Object.entries(BAD)) {
    await t.test(name, () => {
      assert.match(agent.stderr, sentence);
      if (run === undefined) return assert.deepEqual(runs(name), []);
      const [point] = runs(name);
      const repo = bad.find((item) => item.name === `PLUGIN.${name}`)?.git;
      const [status, value] = run;
      assert.deepEqual(point?.tags, { repo, type: 'regular', status, host: hostname() });
      assert.equal(point?.fields.value, value);
      assert.equal(point?.fields.points, points);
      assert.ok(Number.isInteger(point?.fields.duration));
    });
  }
  assert.deepEqual(
    runs('good').map(({ tags, fields }) => [tags.status, fields.points]),
    runs('good').map(() => ['ok', 1]),
  );
  for (const document of agent.documents()) assert.equal(document.database, namespace);

  agent.changeRegistry({ [namespace]: [] });
  await waitUntil('all are gone', () => processesWithVariable('AGENT_NAMESPACE', namespace).length === 0);
  await waitUntil('their folders too', () => readdirSync(join(agent.folder, 'plugins')).length === 0);
  await waitUntil('and what they had open', () => descriptors(agent.pid) <= before);
  assert.equal(await agent.kill('SIGTERM'), 0);
});

/** Without those of /dev/null: each thread opens one for itself, with its first pipe, and keeps it. */
function descriptors(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((name) => targetOf(join(folder, name)) !== '/dev/null').length;
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return 'closed meanwhile';
  }
}

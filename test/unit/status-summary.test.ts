import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statusSummary } from '../../src/supervisor/cli/status-summary.js';
import { ownRunRecord } from '../support/run-record.js';

const RECORD = ownRunRecord({
  pid: 4711,
  tcpAddress: '127.0.0.1:1232',
  socketPath: '/run/agent/agent.sock',
});

const ANSWER = {
  ok: true,
  version: '1.2.4',
  uptimeSeconds: 90_061,
  host: 'web1',
  namespaces: ['web.shop', 'web.blog'],
  plugins: { known: 12, enabled: 11, running: 2, failed: 1 },
  registry: { address: 'https://registry.example.com', problem: 'it answered 500' },
  outputs: [
    {
      output: 'nsq',
      state: 'connected to nsqd1:4150',
      lastError: 'nsqd2:4150 refused the connection',
      deliveredPoints: 100,
      setAsidePoints: 3,
      droppedPoints: { full: 0, damaged: 4, 'no-room': 5 },
      memoryPoints: 7,
      diskPoints: 5,
      lagPoints: 7,
      lagSeconds: 12.4,
    },
    {
      output: 'archive',
      state: 'writing to /var/points',
      deliveredPoints: 110,
      setAsidePoints: 0,
      droppedPoints: { full: 0, damaged: 0, 'no-room': 0 },
      memoryPoints: 0,
      diskPoints: 0,
      lagPoints: 0,
      lagSeconds: 0,
    },
  ],
  runs: {
    ok: 50,
    failed: 2,
    skipped: 1,
    waiting: 3,
    lateness: { p50Ms: 1, p99Ms: 24, maxMs: 90 },
  },
  posts: { accepted: 5, points: 9, refused: 1 },
  measured: [
    { type: 'CPU', rounds: 3, points: 30 },
    { type: 'MEM', rounds: 3, points: 24 },
  ],
};

test('the summary says what an operator asks first', () => {
  const lines = statusSummary(RECORD, ANSWER).split('\n');
  assert.deepEqual(lines, [
    'agent      1.2.4, pid 4711, up 1 d 1 h',
    'HTTP on    127.0.0.1:1232 and /run/agent/agent.sock',
    'host       web1',
    'namespaces web.shop, web.blog',
    'registry   https://registry.example.com, no answer since the start; now: it answered 500',
    'plugins    12 known, 11 enabled, 2 running now, 1 could not be fetched',
    'runs       50 ok, 2 failed, 1 skipped since the start; 99 of 100 begin within 24 ms, 3 wait for a place',
    'posts      5 accepted with 9 points, 1 refused since the start',
    'measured   54 points of the host itself since the start (CPU, MEM)',
    'delivery   nsq: connected to nsqd1:4150',
    '           100 points delivered since the start, 7 waiting (2 in memory, 5 on disk), the oldest for 12 s',
    '           3 refused for good by the server; the log says why',
    '           4 lost: damaged on disk',
    '           5 lost: no room in memory or on disk',
    '           last error: nsqd2:4150 refused the connection',
    'delivery   archive: writing to /var/points',
    '           110 points delivered since the start, none waiting',
    'config     /etc/agent.toml',
    'log        /log',
  ]);
});

test('a long lag is said in seconds and in words', () => {
  const [output] = ANSWER.outputs;
  const late = { ...output, diskPoints: 7, lagSeconds: 3723.4, droppedPoints: { unheard: 1 } };
  const summary = statusSummary(RECORD, { ...ANSWER, outputs: [late] });
  assert.match(summary, /7 waiting \(7 on disk\), the oldest for 3723 s \(1 h 2 min\)$/m);
  assert.match(summary, /^ +1 lost: unheard$/m, 'a reason that only a newer agent has');
});

test('a publisher that does not answer is said, and an output of an older agent is shown as far as it is known', () => {
  const silent = { ...ANSWER, outputs: undefined };
  assert.match(statusSummary(RECORD, silent), /^delivery +not known, as the publisher does not answer now$/m);
  const old = { output: 'nsq', state: 'connected', deliveredPoints: 1, lagPoints: 2 };
  const summary = statusSummary(RECORD, { ...ANSWER, outputs: [old] });
  assert.match(summary, /^ +1 point delivered since the start, 2 waiting$/m);
  assert.doesNotMatch(summary, /refused for good|lost|last error|undefined/);
});

for (const answer of [{}, [], null, 'x', { plugins: 'many' }, { namespaces: [1] }]) {
  test(`an answer of another kind (${JSON.stringify(answer)}) still says what the run folder knows`, () => {
    const summary = statusSummary(RECORD, answer);
    assert.match(summary, /^agent +1\.2\.3, pid 4711, up /);
    assert.match(summary, /^config +\/etc\/agent\.toml$/m);
  });
}

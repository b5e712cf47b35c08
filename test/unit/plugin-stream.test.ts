import assert from 'node:assert/strict';
import test from 'node:test';
import { LaneWriter } from '../../src/shared/ring/lane-writer.js';
import { createRing } from '../../src/shared/ring/layout.js';
import { countsOf, createStreamControl } from '../../src/shared/stream-control.js';
import { followStream } from '../../src/workers/runner/plugin-stream.js';
import type {
  OutputListener,
  ProcessExit,
  StartedProcess,
} from '../../src/workers/runner/started-process.js';
import { recordingLog } from '../support/recording-log.js';

const EXIT: ProcessExit = { code: 0, signal: undefined, usage: undefined };

/** A process whose output and end are the test's to tell. */
function toldProcess() {
  const paused: boolean[] = [];
  let end: () => void = () => {};
  const exited = new Promise<ProcessExit>((resolve) => {
    end = () => resolve(EXIT);
  });
  const heard: OutputListener[] = [];
  const process: StartedProcess = {
    pid: 0,
    startedAt: performance.now(),
    exit: undefined,
    exited,
    areOutputsOver: false,
    outputsEnded: exited.then(() => undefined),
    listen: (listener) => void heard.push(listener),
    pauseStdout: () => void paused.push(true),
    resumeStdout: () => void paused.push(false),
    closeStdout: () => {},
    closeOutputs: () => {},
    killGroup: () => {},
    endStrays: async () => [],
  };
  return {
    process,
    paused,
    print: (text: string) => heard[0]?.stdout(Buffer.from(text)),
    end: () => end(),
  };
}

test('a stream of nonsense is read in turns, between which others of its thread get theirs', async () => {
  const lines = 30_000;
  const told = toldProcess();
  const control = createStreamControl();
  const outcome = followStream(told.process, {
    namespace: 'web.shop',
    pluginName: 'yes',
    format: 'json',
    control,
    maxLineBytes: 1000,
    settings: { database: 'web.shop', host: 'here', measurementPrefix: '', maxBytes: 100_000 },
    lane: new LaneWriter(createRing(2, 65_536), 1),
    log: recordingLog().log,
    explainEnd: () => undefined,
  });
  told.print('y\n'.repeat(lines));
  assert.ok(countsOf(control).badMetrics < lines, 'the rest waits for its turn');
  assert.deepEqual(told.paused, [true], 'and nothing more is read meanwhile');
  told.print(`{"name":"a","value":1}\n{"name":"b","val`);
  told.end();
  assert.deepEqual(
    await outcome.then(({ points, badMetrics }) => ({ points, badMetrics })),
    { points: 1, badMetrics: lines + 1 },
    'what came last is not lost by the end',
  );
  assert.equal(told.paused.at(-1), false);
});

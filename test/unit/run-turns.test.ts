import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { RunTurns } from '../../src/supervisor/plugins/run-turns.js';
import { recordingLog } from '../support/recording-log.js';

/** Runs that go on until they are told to end. */
class Runs {
  readonly begun: string[] = [];
  readonly #ends = new Map<string, () => void>();

  of(name: string): () => Promise<void> {
    return () => {
      this.begun.push(name);
      return new Promise((resolve) => this.#ends.set(name, resolve));
    };
  }

  end(name: string): Promise<void> {
    this.#ends.get(name)?.();
    return turn();
  }
}

test('runs beyond the places wait for their turn, and one warning a minute says so', async () => {
  const { log, lines } = recordingLog();
  const turns = new RunTurns(2, log);
  const runs = new Runs();
  for (const name of ['a', 'b', 'c', 'd']) void turns.take(false, runs.of(name));
  await turn();
  assert.deepEqual(runs.begun, ['a', 'b']);
  await runs.end('b');
  assert.deepEqual(runs.begun, ['a', 'b', 'c']);
  assert.deepEqual(
    lines.map(({ level, message }) => [level, message.slice(0, 47)]),
    [['warn', '2 plugins are running at once and more are due:']],
  );
});

test('plugins that hung before take at most half of the places', async () => {
  const turns = new RunTurns(4, recordingLog().log);
  const runs = new Runs();
  for (const name of ['h1', 'h2', 'h3', 'h4']) void turns.take(true, runs.of(name));
  await turn();
  for (const name of ['a', 'b', 'c']) void turns.take(false, runs.of(name));
  await turn();
  assert.deepEqual(runs.begun, ['h1', 'h2', 'a', 'b']);
  await runs.end('a');
  assert.equal(runs.begun.at(-1), 'c');
  await runs.end('h1');
  assert.equal(runs.begun.at(-1), 'h3');
});

test('with one place a plugin that hung before still gets it', async () => {
  const turns = new RunTurns(1, recordingLog().log);
  const runs = new Runs();
  void turns.take(true, runs.of('h'));
  await turn();
  assert.deepEqual(runs.begun, ['h']);
});

test('after the end no run begins that waited', async () => {
  const turns = new RunTurns(1, recordingLog().log);
  const runs = new Runs();
  for (const name of ['a', 'b']) void turns.take(false, runs.of(name));
  await turn();
  turns.close();
  await runs.end('a');
  assert.deepEqual(runs.begun, ['a']);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { RunTurns, type Turn } from '../../src/supervisor/plugins/run-turns.js';
import { recordingLog } from '../support/recording-log.js';

interface NamedRun extends Turn {
  readonly name: string;
}

/** Turns of runs that go on until they are told to end; a run is named by its namespace and a number. */
class Runs {
  readonly begun: string[] = [];
  readonly lines;
  readonly turns: RunTurns<NamedRun>;
  readonly #underWay = new Map<string, NamedRun>();

  constructor(places: number, namespaces = '') {
    const { log, lines } = recordingLog();
    this.lines = lines;
    const begin = (run: NamedRun) => {
      this.begun.push(run.name);
      this.#underWay.set(run.name, run);
    };
    this.turns = new RunTurns(places, begin, log);
    this.turns.setNamespaces(new Set(namespaces));
  }

  /** Names with a `!` hung before; the first letter is the namespace. */
  async take(names: string, dueAtMs = 0): Promise<void> {
    for (const name of names.split(' ')) {
      this.turns.take({ name, namespace: name.charAt(0), dueAtMs, hungBefore: name.includes('!') });
    }
    await turn();
  }

  async end(...names: string[]): Promise<void> {
    for (const name of names) {
      const run = this.#underWay.get(name);
      if (run !== undefined) this.turns.end(run);
      await turn();
    }
  }

  /** What has begun since this was asked. */
  takeBegun(): string {
    return this.begun.splice(0).join(' ');
  }
}

test('runs beyond the places wait for their turn, and one warning a minute says so', async () => {
  const runs = new Runs(2);
  await runs.take('a1 a2 a3 a4');
  assert.equal(runs.takeBegun(), 'a1 a2');
  assert.equal(runs.turns.waiting, 2);
  await runs.end('a2');
  assert.equal(runs.takeBegun(), 'a3');
  assert.deepEqual(
    runs.lines.map(({ level, message }) => [level, message.slice(0, 47)]),
    [['warn', '2 plugins are running at once and more are due:']],
  );
});

test('a wait of moments is not worth a warning', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
  const runs = new Runs(2);
  await runs.take('a1 a2 a3 b4', 999_900);
  assert.deepEqual(runs.lines, []);
  t.mock.timers.tick(1000);
  await runs.take('a5', 1_001_000);
  assert.equal(runs.lines.length, 1, 'b4 waits for more than a second');
});

test('of runs that wait, the one that is due longest is first, whenever it came', async () => {
  const runs = new Runs(1);
  await runs.take('a1');
  await runs.take('a2', 30);
  await runs.take('a3', 10);
  await runs.take('a4 a5', 20);
  await runs.end('a1', 'a3', 'a4', 'a5', 'a2');
  assert.equal(runs.takeBegun(), 'a1 a3 a4 a5 a2');
});

test('a free place goes to the namespace that has the fewest, of these to the one that is due longest', async () => {
  const runs = new Runs(4);
  await runs.take('a1 a2 a3 a4 a5 a6', 0);
  await runs.take('b1 b2 b3', 20);
  await runs.take('c1', 10);
  assert.equal(runs.takeBegun(), 'a1 a2 a3 a4');
  await runs.end('a1', 'a2', 'a3', 'a4');
  assert.equal(runs.takeBegun(), 'c1 b1 a5 a6');
  await runs.end('c1');
  assert.equal(runs.takeBegun(), 'b2');
});

test('slow plugins of one namespace leave a place to every other, which then is at work at once', async () => {
  const runs = new Runs(4, 'abc');
  await runs.take('a1 a2 a3 a4 a5');
  assert.equal(runs.takeBegun(), 'a1 a2');
  await runs.take('b1 b2 b3');
  assert.equal(runs.takeBegun(), 'b1', 'the last place is for c');
  for (const [ended, next] of [
    ['b1', 'b2'],
    ['b2', 'b3'],
  ] as const) {
    await runs.end(ended);
    assert.equal(runs.takeBegun(), next, 'b goes on beside the slow ones');
  }
  await runs.take('c1 c2');
  assert.equal(runs.takeBegun(), 'c1');
  await runs.end('b3');
  assert.equal(runs.takeBegun(), '', 'the one place is kept for b');
  runs.turns.setNamespaces(new Set('ac'));
  assert.equal(runs.takeBegun(), '', 'begins a moment later');
  await turn();
  assert.equal(runs.takeBegun(), 'c2', 'b has no plugins any more');
});

test('places are kept for at most half, and never all: a single place goes to whoever is due', async () => {
  const many = new Runs(4, 'abcdefgh');
  await many.take('a1 a2 a3');
  assert.equal(many.takeBegun(), 'a1 a2');
  const one = new Runs(1, 'ab');
  await one.take('a1 a2 b1');
  await one.end('a1', 'a2', 'b1');
  assert.equal(one.takeBegun(), 'a1 a2 b1');
});

test('plugins that hung before take at most half of the places', async () => {
  const runs = new Runs(4);
  await runs.take('a1! a2! a3! a4!');
  await runs.take('a5 a6 a7');
  assert.equal(runs.takeBegun(), 'a1! a2! a5 a6');
  await runs.end('a5');
  assert.equal(runs.takeBegun(), 'a7');
  await runs.end('a1!');
  assert.equal(runs.takeBegun(), 'a3!');
});

test('with one place a plugin that hung before still gets it', async () => {
  const runs = new Runs(1);
  await runs.take('a1!');
  assert.equal(runs.takeBegun(), 'a1!');
});

test('runs that are over as soon as they begin give their places to all that wait, however many', () => {
  const begun: string[] = [];
  const turns: RunTurns<NamedRun> = new RunTurns(
    1,
    (run) => {
      begun.push(run.name);
      if (run.name !== 'first') turns.end(run);
    },
    recordingLog().log,
  );
  const runs = ['first', ...Array.from({ length: 20_000 }, (_, index) => `${index}`)].map((name) => {
    return { name, namespace: 'a', dueAtMs: 0, hungBefore: false };
  });
  for (const run of runs) turns.take(run);
  assert.deepEqual(begun, ['first']);
  for (const run of runs.slice(0, 1)) turns.end(run);
  assert.equal(begun.length, runs.length);
  assert.equal(turns.waiting, 0);
});

test('after the end no run begins that waited, nor one that comes', async () => {
  const runs = new Runs(1);
  await runs.take('a1 a2');
  runs.turns.close();
  await runs.end('a1');
  await runs.take('b1');
  assert.equal(runs.takeBegun(), 'a1');
});

test('a namespace with 5,000 runs in line gets its share beside 500 others, and all have their turn', async () => {
  const begun: string[] = [];
  const turns: RunTurns<Turn & { readonly over: () => void }> = new RunTurns(
    8,
    async (run) => {
      begun.push(run.namespace);
      await turn();
      turns.end(run);
      run.over();
    },
    recordingLog().log,
  );
  const take = (namespace: string, dueAtMs: number) =>
    new Promise<void>((over) => {
      turns.take({ namespace, dueAtMs, hungBefore: false, over });
    });
  const all = [
    ...Array.from({ length: 5000 }, () => take('large', 0)),
    ...Array.from({ length: 500 }, (_, index) => take(`small${index}`, 10)),
  ];
  await Promise.all(all);
  assert.equal(begun.length, 5500);
  const lastSmall = begun.findLastIndex((namespace) => namespace !== 'large');
  const largeBefore = begun.slice(0, lastSmall).filter((namespace) => namespace === 'large').length;
  assert.ok(largeBefore < 120, `${largeBefore} of the large one before the last small one`);
  assert.equal(turns.waiting, 0);
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type Influxd, influxdSkipReason, startInfluxd } from '../support/influxd.js';
import { openInfluxdbOutput, POINT_TIME, type TestPoint } from '../support/influxdb-output.js';
import { pseudoRandom } from '../support/ring-traffic.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { waitUntil } from '../support/wait-until.js';

const skip = influxdSkipReason;

/** An influxd with the database `metrics`. */
async function startWithDatabase(t: TestContext, options: Parameters<typeof startInfluxd>[1] = {}) {
  const influxd = await startInfluxd(t, options);
  await influxd.query('CREATE DATABASE metrics');
  return influxd;
}

/** Document number `n`, whose one point nobody else writes. */
function numbered(n: number): TestPoint[] {
  return [{ tags: { n: String(n) }, fields: { value: n } }];
}

async function numbersIn(influxd: Influxd, database = 'metrics'): Promise<number[]> {
  const rows = await influxd.query('SELECT value FROM m', database);
  return rows.map((row) => Number(row.value)).sort((a, b) => a - b);
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

for (const gzip of [true, false]) {
  test(`points arrive with their names, tags, types and times, gzip ${gzip}`, { skip }, async (t) => {
    const influxd = await startWithDatabase(t);
    const { deliver, settled, delivered, refused } = openInfluxdbOutput(t, influxd.url, {
      gzip,
      namespaceTag: 'ns',
    });
    const odd = 'a b,c=d"e\\f ü漢😀';
    const fields = { [odd]: 'x "y" \\ z\nnew, line=1 # \\', whole: 5, half: 0.5, yes: true, no: false };
    deliver('odd', [{ measurement: odd, tags: { [odd]: odd, empty: '' }, fields }]);
    deliver('plain', [{ measurement: 'plain', timestamp: POINT_TIME + 1, fields: { value: '' } }]);
    await settled(2);
    assert.deepEqual([delivered, refused], [['odd', 'plain'], []]);
    const [measurement] = await influxd.query('SHOW MEASUREMENTS', 'metrics');
    assert.equal(measurement?.name, odd);
    const [row, ...others] = await influxd.query('SELECT * FROM /a b/ GROUP BY *', 'metrics');
    assert.deepEqual(others, []);
    assert.deepEqual(row, { time: POINT_TIME, ns: 'web.shop', [odd]: fields[odd], ...rest(fields, odd) });
    assert.deepEqual(await influxd.query('SELECT * FROM plain', 'metrics'), [
      { time: POINT_TIME + 1, ns: 'web.shop', value: '' },
    ]);
    assert.deepEqual(await influxd.query('SHOW TAG VALUES WITH KEY =~ /./', 'metrics'), [
      { key: odd, value: odd },
      { key: 'ns', value: 'web.shop' },
      { key: 'ns', value: 'web.shop' },
    ]);
  });
}

function rest(fields: Readonly<Record<string, unknown>>, without: string) {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => key !== without));
}

test('a value that is whole at first can have decimals later, and numbers of any size are right', {
  skip,
}, async (t) => {
  const influxd = await startWithDatabase(t);
  const { deliver, settled, refused } = openInfluxdbOutput(t, influxd.url);
  const values = [5, 0.25, 0, 2 ** 53, 2 ** 63, 1e300, -1e300, 5e-324, Number.MAX_VALUE];
  for (const [n, value] of values.entries()) {
    deliver(`${n}`, [{ timestamp: POINT_TIME + n, fields: { value } }]);
  }
  await settled(values.length);
  assert.deepEqual(refused, []);
  const rows = await influxd.query('SELECT value FROM m', 'metrics');
  assert.deepEqual(
    rows.map(({ value }) => value),
    values,
  );
  const [field] = await influxd.query('SHOW FIELD KEYS', 'metrics');
  assert.equal(field?.fieldType, 'float');
});

test('of two points with the same series and second the later one counts', { skip }, async (t) => {
  const influxd = await startWithDatabase(t);
  const { deliver, settled } = openInfluxdbOutput(t, influxd.url);
  for (const value of upTo(50)) deliver(`${value}`, [{ fields: { value } }]);
  await settled(50);
  assert.deepEqual(await influxd.query('SELECT value FROM m', 'metrics'), [{ time: POINT_TIME, value: 49 }]);
});

test('names that InfluxDB refuses arrive under a name that it takes', { skip }, async (t) => {
  const influxd = await startWithDatabase(t);
  const { deliver, settled, refused } = openInfluxdbOutput(t, influxd.url);
  deliver('reserved', [{ tags: { time: 'noon', 'end\\': 'C:\\' }, fields: { time: 1, value: 2 } }]);
  deliver('comment', [{ measurement: '#x' }]);
  await settled(2);
  assert.deepEqual(refused, []);
  assert.deepEqual(await influxd.query('SELECT * FROM m GROUP BY *', 'metrics'), [
    { time: POINT_TIME, time_: 1, value: 2, 'end/': 'C:/' },
  ]);
  assert.deepEqual(await influxd.query('SHOW TAG VALUES WITH KEY = time_', 'metrics'), [
    { key: 'time_', value: 'noon' },
  ]);
  assert.equal((await influxd.query('SELECT * FROM "-x"', 'metrics')).length, 1);
});

test('random names and values come back as they were sent', { skip }, async (t) => {
  const influxd = await startWithDatabase(t);
  const { deliver, settled, refused } = openInfluxdbOutput(t, influxd.url, { batchPoints: 50 });
  const seed = Number(process.env.INFLUXDB_FUZZ_SEED ?? Date.now() % 1_000_000);
  t.diagnostic(`INFLUXDB_FUZZ_SEED=${seed}`);
  const random = below(seed);
  const sent = Array.from({ length: 400 }, (_, n) => randomPoint(random, n));
  for (const [n, point] of sent.entries()) deliver(`${n}`, [point]);
  await settled(sent.length);
  assert.deepEqual(refused, []);
  for (const [n, point] of sent.entries()) {
    const from = (point.measurement ?? '').replace(/["\\]/g, '\\$&');
    const rows = await influxd.query(`SELECT * FROM "${from}" GROUP BY *`, 'metrics');
    assert.equal(rows.length, 1, `point ${n}: ${JSON.stringify(point)}`);
    const found = Object.entries(rows[0] ?? {}).filter(([, value]) => value !== null && value !== '');
    const tags = Object.entries(point.tags ?? {});
    const expected = [['time', POINT_TIME + n], ...tags, ...Object.entries(point.fields ?? {})];
    assert.deepEqual(sorted(found), sorted(expected.filter(([, value]) => value !== '')), `point ${n}`);
  }
  const names = (await influxd.query('SHOW MEASUREMENTS', 'metrics')).map(({ name }) => name);
  assert.deepEqual(new Set(names), new Set(sent.map(({ measurement }) => measurement)));
});

/** A whole number from 0 on, below the bound. */
type Random = (bound: number) => number;

function below(seed: number): Random {
  const next = pseudoRandom(seed);
  return (bound) => Math.floor(next() * bound);
}

const PIECES = [
  ' ',
  ',',
  '=',
  '"',
  '\\',
  '#',
  "'",
  '.',
  '-',
  '_',
  'a',
  'Z',
  '0',
  'ü',
  '漢',
  '😀',
  ';',
  '/',
  '%',
];

/** Whatever line protocol can carry: without what gives way to something else, which unit tests know. */
function randomPoint(random: Random, n: number): TestPoint {
  const text = (max: number) =>
    Array.from({ length: 1 + random(max) }, () => PIECES[random(PIECES.length)]).join('');
  const name = () => withoutLost(text(12));
  const values = [
    () => text(30) + (random(2) === 0 ? '\n' : '\\') + text(30),
    () => random(2) === 0,
    () => (random(2_000_000) - 1_000_000) / (random(3) === 0 ? 1 : 1 + random(999)),
    () => 10 ** (random(600) - 300),
  ];
  const list = (max: number, value: () => unknown, prefix: string) =>
    Object.fromEntries(
      Array.from({ length: 1 + random(max) }, (_, place) => [prefix + place + name(), value()]),
    );
  // Of one type each, as a field of another one in the same measurement would be refused.
  const kind = random(values.length);
  return {
    measurement: `m${name()}${n}`,
    timestamp: POINT_TIME + n,
    tags: list(6, () => name(), 't') as Record<string, string>,
    fields: list(4, () => values[kind]?.(), 'f'),
  };
}

function withoutLost(text: string): string {
  return text.replace(/\\(?=[",= ]|$)/g, '|');
}

function sorted(entries: readonly (readonly unknown[])[]): string[] {
  return entries.map((entry) => JSON.stringify(entry)).sort();
}

test('backslashes before special characters in tag values come back as they were sent', {
  skip,
}, async (t) => {
  const influxd = await startWithDatabase(t);
  const { deliver, settled, refused } = openInfluxdbOutput(t, influxd.url);
  const values = [
    'a\\,b',
    'a\\=b',
    'a\\ b',
    'a\\"b',
    'a\\\\b',
    '\\x',
    'C:\\Program Files\\x',
    '\\\\host\\share',
  ];
  for (const [n, v] of values.entries()) deliver(`${n}`, [{ tags: { v, w: '"' }, fields: { value: n } }]);
  await settled(values.length);
  assert.deepEqual(refused, []);
  const rows = await influxd.query('SELECT value, v FROM m', 'metrics');
  assert.deepEqual(sorted(rows.map(({ value, v }) => [value, v])), sorted([...values.entries()]));
});

test('with %s each namespace has its database, and a missing one holds up none of the others', {
  skip,
}, async (t) => {
  const influxd = await startInfluxd(t);
  for (const name of ['in.web.shop', 'in.db.shop']) await influxd.query(`CREATE DATABASE "${name}"`);
  const { output, deliver, settled, delivered, lines } = openInfluxdbOutput(t, influxd.url, {
    database: 'in.%s',
  });
  for (const n of upTo(30)) deliver(`lost${n}`, numbered(n), 'lost.shop');
  for (const n of upTo(30)) deliver(`web${n}`, numbered(n), 'web.shop');
  for (const n of upTo(30)) deliver(`db${n}`, numbered(n), 'db.shop');
  await settled(60);
  assert.deepEqual(
    delivered.filter((name) => name.startsWith('lost')),
    [],
  );
  assert.deepEqual(await numbersIn(influxd, 'in.web.shop'), upTo(30));
  assert.deepEqual(await numbersIn(influxd, 'in.db.shop'), upTo(30));
  await waitUntil('it was tried again', () => output.state().retriedRecords >= 60);
  assert.match(
    output.state().state,
    /^cannot write to database "in\.lost\.shop" of InfluxDB at http:\/\/127/,
  );
  assert.match(output.state().lastError ?? '', /database not found: "in\.lost\.shop"/);

  await influxd.query('CREATE DATABASE "in.lost.shop"');
  await settled(90);
  assert.deepEqual(await numbersIn(influxd, 'in.lost.shop'), upTo(30));
  assert.match(output.state().state, /^writing to InfluxDB at /);
  const said = lines.map(({ level, message }) => `${level}: ${message}`);
  assert.equal(said.length, 2, said.join('\n'));
  assert.match(said[0] ?? '', /^error: cannot write to database "in\.lost\.shop" .* points are kept/);
  assert.match(said[1] ?? '', /^info: writing to database "in\.lost\.shop" .* again$/);
});

test('a server that asks for a user gets the one of the settings, and no secret is told', {
  skip,
}, async (t) => {
  const admin = { name: 'root', password: 's3cr3t' };
  const influxd = await startWithDatabase(t, { admin });
  const good = openInfluxdbOutput(t, influxd.url, { username: admin.name, password: admin.password });
  const inUrl = openInfluxdbOutput(t, influxd.url.replace('//', `//${admin.name}:${admin.password}@`));
  good.deliver('a', numbered(0));
  inUrl.deliver('b', numbered(1));
  await Promise.all([good.settled(1), inUrl.settled(1)]);
  assert.deepEqual(await numbersIn(influxd), [0, 1]);
  assert.doesNotMatch(inUrl.output.state().state, /s3cr3t/);

  const bad = openInfluxdbOutput(t, influxd.url, { username: 'root', password: 'wr0ng' });
  bad.deliver('c', numbered(2));
  await waitUntil('it was tried again', () => bad.output.state().retriedRecords >= 3);
  assert.match(
    bad.output.state().lastError ?? '',
    /authorization failed .*check its token, or user and password/,
  );
  assert.deepEqual([bad.delivered, bad.refused, bad.lines.length], [[], [], 1]);
  assert.doesNotMatch(JSON.stringify([bad.lines, bad.output.state()]), /wr0ng/);

  await influxd.query("SET PASSWORD FOR root = 'wr0ng'").catch(() => undefined);
  await bad.settled(1);
  assert.deepEqual(bad.delivered, ['c']);
});

test('a user without the right to write there: points wait until it has it', { skip }, async (t) => {
  const influxd = await startWithDatabase(t, { admin: { name: 'root', password: 'x' } });
  await influxd.query(`CREATE USER "agent" WITH PASSWORD 'y'`);
  const { output, deliver, settled, lines } = openInfluxdbOutput(t, influxd.url, {
    username: 'agent',
    password: 'y',
  });
  deliver('a', numbered(0));
  await waitUntil('it was refused the right', () => /right to write/.test(output.state().lastError ?? ''));
  await influxd.query('GRANT WRITE ON metrics TO agent');
  await settled(1);
  assert.deepEqual([await numbersIn(influxd), lines.length], [[0], 2]);
});

test('nothing is lost when the server is killed and comes back', { skip }, async (t) => {
  const influxd = await startWithDatabase(t);
  const { output, deliver, settled, delivered, refused, lines } = openInfluxdbOutput(t, influxd.url);
  let n = 0;
  const deliverSome = (count: number) => {
    for (const end = n + count; n < end; n += 1) deliver(`${n}`, numbered(n));
  };
  for (let round = 0; round < 3; round += 1) {
    deliverSome(200);
    await settled(n - 100);
    deliverSome(100);
    await influxd.kill();
    deliverSome(100);
    await waitUntil('it is noticed', () => output.state().state.startsWith('cannot write'));
    await influxd.start();
    await settled(n);
  }
  assert.deepEqual([delivered.length, refused], [n, []]);
  assert.deepEqual(await numbersIn(influxd), upTo(n));
  assert.match(output.state().state, /^writing to /);
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['error', 'info', 'error', 'info', 'error', 'info'],
  );
});

test('nothing is lost when the server stands still for longer than one waits for it', { skip }, async (t) => {
  const influxd = await startWithDatabase(t);
  const { output, deliver, settled, refused } = openInfluxdbOutput(t, influxd.url, {
    responseTimeoutMs: 1000,
  });
  deliver('0', numbered(0));
  await settled(1);
  await influxd.pause();
  for (let n = 1; n < 300; n += 1) deliver(`${n}`, numbered(n));
  await waitUntil('it is noticed', () => /did not answer in/.test(output.state().lastError ?? ''));
  influxd.resume();
  await settled(300);
  assert.deepEqual([await numbersIn(influxd), refused], [upTo(300), []]);
});

test('nothing is lost when connections break, again and again', { skip }, async (t) => {
  const influxd = await startWithDatabase(t);
  const proxy = await startTcpProxy(t, new URL(influxd.url).host);
  const { deliver, settled, refused } = openInfluxdbOutput(t, `http://${proxy.address}`, { batchPoints: 20 });
  for (let n = 0; n < 1000; n += 1) {
    deliver(`${n}`, numbered(n));
    if (n % 100 !== 99) continue;
    const { packets } = proxy;
    await waitUntil('something is answered', () => proxy.packets > packets);
    proxy.cut();
  }
  await settled(1000);
  assert.deepEqual([await numbersIn(influxd), refused], [upTo(1000), []]);
});

test('a field of another type costs its own document only', { skip }, async (t) => {
  const influxd = await startWithDatabase(t);
  const { output, deliver, settled, delivered, refused } = openInfluxdbOutput(t, influxd.url);
  deliver('first', numbered(0));
  await settled(1);
  const bad = [7, 8, 60];
  for (let n = 1; n < 100; n += 1) {
    deliver(`${n}`, bad.includes(n) ? [{ fields: { value: 'text' } }] : numbered(n));
  }
  await settled(100);
  assert.deepEqual(
    refused.map(({ name }) => name),
    ['7', '8', '60'],
  );
  assert.match(
    refused[0]?.reason ?? '',
    /partial write: field type conflict: .* is type string, already exists as type float/,
  );
  assert.equal(delivered.length, 97);
  assert.deepEqual(
    await numbersIn(influxd),
    upTo(100).filter((n) => !bad.includes(n)),
  );
  assert.match(output.state().state, /^writing to /);
});

test('points older than the retention policy keeps are refused, the others of the document are there', {
  skip,
}, async (t) => {
  const influxd = await startInfluxd(t);
  await influxd.query('CREATE DATABASE metrics WITH DURATION 1h NAME "short"');
  const { deliver, settled, refused } = openInfluxdbOutput(t, influxd.url, { retentionPolicy: 'short' });
  const now = Math.floor(Date.now() / 1000);
  deliver('old', [{ timestamp: POINT_TIME }, { timestamp: now, fields: { value: 2 } }]);
  deliver('new', [{ timestamp: now, tags: { a: 'b' }, fields: { value: 3 } }]);
  await settled(2);
  assert.deepEqual(
    refused.map(({ name }) => name),
    ['old'],
  );
  assert.match(refused[0]?.reason ?? '', /partial write: points beyond retention policy dropped=1/);
  assert.deepEqual(await numbersIn(influxd), [2, 3]);
});

for (const gzip of [false, true]) {
  test(`what is too large for the server at once is split, documents too, gzip ${gzip}`, {
    skip,
  }, async (t) => {
    const influxd = await startWithDatabase(t, { maxBodyBytes: 20_000 });
    const { deliver, settled, delivered, refused } = openInfluxdbOutput(t, influxd.url, { gzip });
    const random = below(7);
    // Text that does not become much smaller by compressing.
    const text = (length: number) => Array.from({ length }, () => random(36).toString(36)).join('');
    const point = (n: number, length: number): TestPoint => ({
      tags: { n: String(n) },
      fields: { value: n, text: text(length) },
    });
    let n = 0;
    for (let document = 0; document < 20; document += 1) {
      deliver(
        `small${document}`,
        Array.from({ length: 10 }, () => point(n++, 400)),
      );
    }
    deliver(
      'large',
      Array.from({ length: 300 }, () => point(n++, 400)),
    );
    deliver('giant', [point(n++, 400), point(-1, 60_000), point(n++, 400)]);
    deliver('last', [point(n++, 400)]);
    await settled(23);
    assert.deepEqual(
      refused.map(({ name }) => name),
      ['giant'],
    );
    assert.match(refused[0]?.reason ?? '', /^1 of 3 points: the point is too large: .*status 413/);
    assert.equal(delivered.at(-1), 'last');
    assert.deepEqual(await numbersIn(influxd), upTo(n));
  });
}

test('a server that breaks down at one document is given the others', { skip }, async (t) => {
  const influxd = await startWithDatabase(t);
  const { deliver, settled, refused } = openInfluxdbOutput(t, influxd.url);
  // This many tags are more than influxd 1.6 counts up to.
  const tags = Object.fromEntries(upTo(100).map((n) => [`t${100 + n}`, 'v']));
  deliver('0', numbered(0));
  deliver('bad', [{ tags, fields: { value: -1 } }]);
  for (let n = 1; n < 20; n += 1) deliver(`${n}`, numbered(n));
  await settled(21);
  assert.deepEqual(await numbersIn(influxd), upTo(20));
  assert.deepEqual(
    refused.map(({ name }) => name),
    ['bad'],
  );
  assert.match(refused[0]?.reason ?? '', /^the server fails at it while it takes others: .*500/);
});

test('close gives up what is not settled, without a word to who waits for it', { skip }, async (t) => {
  const influxd = await startWithDatabase(t);
  await influxd.pause();
  const { output, deliver, delivered, refused } = openInfluxdbOutput(t, influxd.url, { database: '%s' });
  for (const namespace of ['a', 'b', 'c', 'd']) {
    for (const n of upTo(10)) deliver(`${n}`, numbered(n), namespace);
  }
  await output.close();
  influxd.resume();
  await influxd.query('SHOW DATABASES');
  assert.deepEqual([delivered, refused], [[], []]);
});

test('close ends a connection that does not come to be', async (t) => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => {
    sockets.add(socket);
    socket.resume();
  });
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const bound = silent.address();
  const port = typeof bound === 'object' ? bound?.port : undefined;
  const { output, deliver, delivered } = openInfluxdbOutput(t, `http://127.0.0.1:${port}`);
  deliver('a', numbered(0));
  await waitUntil('it is connected', () => sockets.size > 0);
  await output.close();
  await waitUntil('the connection is closed', () =>
    [...sockets].every(({ readableEnded, destroyed }) => readableEnded || destroyed),
  );
  assert.deepEqual(delivered, []);
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostDocuments } from '../../src/workers/host/host-documents.js';
import type { HostPoint } from '../../src/workers/host/host-type.js';
import { warnings } from '../../src/workers/host/warnings.js';
import { recordingLog } from '../support/recording-log.js';

const SETTINGS = { databasePrefix: 'collect.', host: 'web-1', maxDocumentBytes: 1_000_000 };
const NOW = 1_800_000_000;

function documents(
  points: readonly HostPoint[],
  namespaces: readonly string[],
  maxDocumentBytes = 1_000_000,
) {
  return hostDocuments(points, namespaces, { ...SETTINGS, maxDocumentBytes }, NOW).map(
    ({ namespace, document }) => ({ namespace, ...JSON.parse(document.text) }),
  );
}

describe('documents of a round', () => {
  it('are one for each namespace, with the names as they are', () => {
    const [first, second] = documents([{ name: 'mem.total', value: 24_105 }], ['cache', 'shop']);
    assert.deepEqual(first, {
      namespace: 'cache',
      database: 'collect.cache',
      retentionPolicy: 'default',
      precision: 's',
      points: [
        { measurement: 'mem.total', timestamp: NOW, tags: { host: 'web-1' }, fields: { value: 24_105 } },
      ],
    });
    assert.deepEqual([second?.namespace, second?.database], ['shop', 'collect.shop']);
  });

  it('are none for a namespace without points', () => {
    assert.deepEqual(documents([], ['shop']), []);
    const own = documents([{ name: 'PORT.a.1', value: 1, namespace: 'cache' }], ['cache', 'shop']);
    assert.deepEqual(
      own.map(({ namespace }) => namespace),
      ['cache'],
    );
  });

  it('hold no tag that breaks a line of a database, and no empty one', () => {
    const tags = { mount: ' /mnt/a b,c=d\\e"f\n', user: '', remote: '\u0007' };
    const [document] = documents([{ name: 'x', value: 1, tags }], ['shop']);
    assert.deepEqual(document?.points[0].tags, { host: 'web-1', mount: '/mnt/a-b-c-d-e-f', remote: '-' });
  });

  it('have the time of the point where it has one', () => {
    const [document] = documents([{ name: 'x', value: 1, timestamp: NOW - 77 }], ['shop']);
    assert.equal(document?.points[0].timestamp, NOW - 77);
  });

  it('are more than one where one would be too long', () => {
    const points = Array.from({ length: 100 }, () => ({ name: 'x', value: 1 }));
    const pieces = documents(points, ['shop'], 2000);
    assert.ok(pieces.length > 1);
    assert.equal(
      pieces.reduce((sum, { points }) => sum + points.length, 0),
      100,
    );
  });
});

describe('warnings', () => {
  it('are said once a day, or as seldom as is wanted', () => {
    let now = 0;
    const { log, lines } = recordingLog();
    const warn = warnings(log, () => now);
    const hour = 3_600_000;
    for (; now < 25 * hour; now += hour / 4) {
      warn('daily');
      warn(`hourly: ${now}`, { about: 'hourly', everyMs: hour });
    }
    assert.equal(lines.filter(({ message }) => message === 'daily').length, 2);
    assert.equal(lines.filter(({ message }) => message.startsWith('hourly')).length, 25);
  });

  it('are not remembered without bound', () => {
    const { log, lines } = recordingLog();
    const warn = warnings(log, () => 0);
    for (let sentence = 0; sentence < 2000; sentence += 1) warn(String(sentence));
    warn('1999');
    assert.equal(lines.length, 2000);
    warn('0');
    assert.equal(lines.length, 2001);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MessagePort } from 'node:worker_threads';
import type { InspectorAnswer, InspectorJob } from '../../src/shared/host-messages.js';
import { InspectorThreads } from '../../src/supervisor/host/inspector-threads.js';
import { Inspections } from '../../src/workers/host/inspections.js';
import { warnings } from '../../src/workers/host/warnings.js';
import { HostThreadUnderTest } from '../support/host-thread-under-test.js';
import { HungMount, NO_HUNG_MOUNT } from '../support/hung-mount.js';
import { recordingLog } from '../support/recording-log.js';
import { sizedMount } from '../support/sized-mount.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const warningsOf = ({ lines }: HostThreadUnderTest, pattern: RegExp) =>
  lines.filter(({ level, message }) => level === 'warn' && pattern.test(message)).length;

describe('the thread that measures the host', () => {
  it('sends every namespace a document, and PORT and PROC to their own', async (t) => {
    const host = new HostThreadUnderTest(t, { collect: ['MEM', 'PORT'] });
    const ports = [{ namespace: 'cache', name: 'PORT.none.1', port: 1, connectTimeoutMs: 1000 }];
    host.setPlan({ namespaces: ['cache', 'shop'], ports });
    await waitUntil('both have sent', () => host.thread.counts.length === 2 && host.points().length >= 17);
    const sent = (namespace: string) =>
      host
        .points()
        .filter((point) => point.namespace === namespace)
        .map(({ measurement }) => measurement);
    assert.equal(sent('shop').filter((name) => name === 'mem.total').length, 1);
    assert.deepEqual(
      sent('cache').filter((name) => name.startsWith('PORT')),
      ['PORT.none.1'],
    );
    assert.ok(!sent('shop').includes('PORT.none.1'));
    assert.ok(host.points().every(({ tags }) => tags.host === 'web-1'));
    const counted = Object.fromEntries(host.thread.counts.map(({ type, points }) => [type, points]));
    assert.equal(counted.PORT, 1);
    assert.equal(counted.MEM, host.points().length - 1);
  });

  it('measures nothing while the host is in no namespace', async (t) => {
    const host = new HostThreadUnderTest(t, { collect: ['MEM'] });
    host.setPlan({ namespaces: [] });
    host.setPlan({ namespaces: ['shop'] });
    await waitUntil('it has sent', () => host.points().length > 0);
    assert.ok(host.points().every(({ namespace }) => namespace === 'shop'));
  });

  it('follows another plan without beginning anew', async (t) => {
    const host = new HostThreadUnderTest(t, { collect: ['CPU'] });
    host.setPlan({ intervals: { CPU: 3600 } });
    await waitUntil('the first round is over', () => host.values('agent.alive').length === 1);
    host.setPlan({ intervals: { CPU: 0.05 } });
    await waitUntil('there are rates', () => host.values('cpu.idle').length > 2);
    assert.ok(host.values('cpu.idle').every((value) => value >= 0 && value <= 100));
    // Of rounds in a row it has no share of the processors when no tick is between them; this it has always.
    const sent = host.points().map(({ measurement }) => measurement);
    const count = (name: string) => sent.filter((measurement) => measurement === name).length;
    assert.equal(count('cpu.context_switches'), count('agent.alive') - 1);
  });

  it('is started again when it dies, with the same plan', async (t) => {
    const host = new HostThreadUnderTest(
      t,
      { collect: ['CPU'] },
      new URL('../support/mortal-host.js', import.meta.url),
    );
    host.setPlan({ namespaces: ['cache', 'shop'] });
    await waitUntil('it has died three times', () => (host.thread.counts[0]?.rounds ?? 0) >= 3);
    // The points of a round are counted a moment before the round.
    await waitUntil('the plan counts, with its two namespaces each time', () => {
      const [{ rounds = 0, points = 0 } = {}] = host.thread.counts;
      return points === 2 * rounds;
    });
    assert.ok(warningsOf(host, /the host is measured again in/) >= 2);
  });

  it('does not start when nothing is collected', async (t) => {
    const host = new HostThreadUnderTest(
      t,
      { collect: [] },
      new URL('../support/mortal-host.js', import.meta.url),
    );
    host.setPlan({});
    await host.thread.stop();
    assert.deepEqual(host.lines, []);
  });
});

describe('a file that has answered before', () => {
  it('is looked at again when it was slow once, also beside too many that hang', async (t) => {
    const { log } = recordingLog();
    const slow = new Map<string, () => void>();
    const hung = Array.from({ length: 8 }, (_, place) => `/hung/${place}`);
    for (const path of ['/local', ...hung]) slow.set(path, () => undefined);
    const inspections = new Inspections({
      timeoutMs: 50,
      startInspector: (port) => answerUnlessSlow(port, slow),
      warn: warnings(log),
    });
    t.after(() => inspections.close());
    const look = async (...paths: readonly string[]) => {
      const jobs = paths.map((path) => ({ kind: 'mount', path, readOnly: false }) as const);
      const results = await inspections.inspect(jobs);
      return results.map((result) => (typeof result === 'string' ? result : 'answered'));
    };
    const answerLate = async () => {
      slow.get('/local')?.();
      slow.delete('/local');
      return waitUntil('it is not stuck any more', async () => {
        const [result] = await look('/local');
        return result !== 'stuck' && result;
      });
    };
    assert.deepEqual(await look('/local'), ['stuck']);
    assert.equal(await answerLate(), 'answered');
    assert.deepEqual(await look(...hung), Array(8).fill('stuck'));
    slow.set('/local', () => undefined);
    assert.deepEqual(await look('/local', '/other'), ['stuck', 'untried']);
    assert.equal(await answerLate(), 'answered');
  });
});

/** In place of an inspector thread: hangs at a path that is in the map, where it leaves what gives the answer. */
function answerUnlessSlow(port: MessagePort, slow: Map<string, () => void>): void {
  const answer: InspectorAnswer = { kind: 'mount', usage: undefined, usable: true, problem: undefined };
  port.once('message', (jobs: readonly InspectorJob[]) => {
    port.postMessage('ready');
    for (const job of jobs) {
      const path = job.kind === 'mount' ? job.path : job.folder;
      if (slow.has(path)) return void slow.set(path, () => port.postMessage(answer));
      port.postMessage(answer);
    }
  });
}

describe('a file system', { skip: NO_HUNG_MOUNT }, () => {
  it('that counts in fragments of its blocks has the size that df says', async (t) => {
    const path = sizedMount(t, {
      blocks: 512_000,
      freeBlocks: 384_000,
      availableBlocks: 256_000,
      blockBytes: 1_048_576,
      fragmentBytes: 4096,
    });
    const host = new HostThreadUnderTest(t, { collect: ['FS'], fileSystemTimeoutMs: 10_000 });
    host.setPlan({});
    await waitUntil('it is measured', () => host.values('fs.files.rw', path).length > 0);
    assert.deepEqual(host.values('fs.space.total', path), [2000]);
    assert.deepEqual(host.values('fs.space.used', path), [500]);
    assert.deepEqual(host.values('fs.space.free', path), [1000]);
    assert.deepEqual(host.values('fs.space.used.percent', path), [34]);
  });
});

describe('file systems that hang', { skip: NO_HUNG_MOUNT }, () => {
  it('are told as unusable, while the others go on, and are not tried again until they answer', async (t) => {
    const [one, other] = [new HungMount(t, 'one'), new HungMount(t, 'other')];
    const host = new HostThreadUnderTest(t, { collect: ['FS', 'MEM'], fileSystemTimeoutMs: 300 });
    host.setPlan({ intervals: { FS: 0.2, MEM: 0.2 } });
    const rounds = () => host.values('kernel.files.max').length;
    await waitUntil('there are three rounds', () => rounds() >= 3);
    for (const { path } of [one, other]) {
      assert.deepEqual(new Set(host.values('fs.files.rw', path)), new Set([0]));
      assert.equal(host.values('fs.space.total', path).length, 0);
    }
    // On a busy machine there may be more that are too slow.
    for (const { path } of [one, other])
      assert.equal(warningsOf(host, new RegExp(`^${path} does not answer within 0\\.3 s`)), 1, 'said once');
    assert.ok(host.values('fs.files.rw', '/').length > 0 || host.values('fs.files.rw').length > 6);
    await waitUntil('memory is measured meanwhile', () => host.values('mem.total').length > 3);

    one.answer();
    const answered = rounds();
    await waitUntil('there are two more rounds', () => rounds() > answered + 2);
    const newest = host.points().at(-1)?.timestamp ?? 0;
    assert.ok(newest > 0);
    assert.equal(host.values('fs.files.rw', other.path).at(-1), 0);
    assert.ok(host.values('fs.files.rw', one.path).length < host.values('fs.files.rw', other.path).length);
  });

  it('beyond a bound are left out, and what has answered before still is looked at', async (t) => {
    const folder = temporaryFolder(t);
    const { log, lines } = recordingLog();
    const threads = new InspectorThreads(log);
    t.after(() => threads.close());
    const inspections = new Inspections({
      timeoutMs: 100,
      startInspector: (port) => threads.start(port),
      warn: warnings(log),
    });
    const look = async (...paths: readonly string[]) => {
      const jobs = paths.map((path) => ({ kind: 'mount', path, readOnly: false }) as const);
      const results = await inspections.inspect(jobs);
      return results.map((result) => (typeof result === 'string' ? result : 'answered'));
    };
    // A busy machine may need longer than the time-out: then it is looked at again.
    await waitUntil('the folder answers', async () => (await look(folder))[0] === 'answered');
    const hung = Array.from({ length: 10 }, (_, place) => new HungMount(t, String(place)));
    const paths = hung.map(({ path }) => path);
    const expected = [...Array<string>(8).fill('stuck'), 'untried', 'untried'];
    assert.deepEqual(await look(...paths), expected);
    await waitUntil('it answers all the same', async () => (await look(folder))[0] === 'answered');
    assert.deepEqual(await look('/nowhere', ...paths), ['untried', ...expected]);
    assert.equal(lines.filter(({ message }) => /^8 file systems do not answer/.test(message)).length, 1);
    hung[0]?.answer();
    await waitUntil('there is room again', async () => (await look('/nowhere'))[0] === 'answered');
    inspections.close();
  });

  it('do not keep the thread from ending', async (t) => {
    const hung = new HungMount(t);
    const host = new HostThreadUnderTest(t, { collect: ['FS'], fileSystemTimeoutMs: 100 });
    host.setPlan({});
    await waitUntil('it hangs', () => host.values('fs.files.rw', hung.path).length > 0);
    await host.thread.stop();
  });

  it('hold up core dumps no longer than the others', async (t) => {
    const hung = new HungMount(t);
    const settings = { collect: ['COREDUMP'], coreDumpFolder: hung.path, fileSystemTimeoutMs: 100 } as const;
    const host = new HostThreadUnderTest(t, settings);
    host.setPlan({ intervals: { COREDUMP: 0.1 } });
    await waitUntil('it goes on', () => (host.thread.counts[0]?.rounds ?? 0) >= 3);
    assert.equal(warningsOf(host, /does not answer/), 1);
  });
});

import assert from 'node:assert/strict';
import { closeSync, openSync, statSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { killProcesses, processesIn } from '../../src/shared/cgroup-processes.js';
import { EPOLL } from '../../src/shared/native/abi.js';
import { type CLibrary, cLibrary } from '../../src/shared/native/c-library.js';
import { closeDescriptor, openPipe, readNow } from '../../src/shared/native/descriptors.js';
import { hardLimitOf, prlimit } from '../../src/shared/native/process-calls.js';
import { Launcher } from '../../src/workers/runner/launcher/launcher.js';
import { LauncherEngine } from '../../src/workers/runner/launcher-engine.js';
import type { ProcessBounds, Program } from '../../src/workers/runner/started-process.js';
import { NO_CGROUPS, testCgroup } from '../support/cgroup.js';
import { HungMount, NO_HUNG_MOUNT } from '../support/hung-mount.js';
import { NO_LAUNCHER } from '../support/launcher.js';
import { isAlive } from '../support/processes.js';
import { programOf } from '../support/program.js';
import { PLUGIN_USER } from '../support/runner-pool.js';
import { waitUntil } from '../support/wait-until.js';

const { library } = cLibrary();
const skip = NO_LAUNCHER ?? false;
const WAYS = ['best', 'old'] as const;
const ROUNDS = 100;
/** Whatever does not begin is ended then, which would close what it holds. */
const LESS_THAN_A_START_MS = 20_000;
/** Ends when what it has started has left its session, and prints the number of that. */
const LEAVES_A_DAEMON =
  'setsid sleep 600 >/dev/null 2>&1 & while read -r s </proc/$!/stat; set -- $s; [ $6 = $$ ]; do :; done; echo $!';

function openEngine(way: (typeof WAYS)[number]): LauncherEngine {
  assert.ok(library);
  return new LauncherEngine(library, new Launcher(library, way));
}

function recordingBounds(): ProcessBounds & { readonly failures: string[] } {
  const failures: string[] = [];
  return {
    apply: () => assert.fail('the launcher sets bounds itself'),
    kill: () => undefined,
    failed: (what, code) => failures.push(`${what} ${code}`),
    failures,
  };
}

async function outputOf(
  engine: LauncherEngine,
  script: string,
  program: Partial<Program>,
  bounds: ProcessBounds = recordingBounds(),
) {
  const outcome = await engine.start({
    program: programOf({ file: '/bin/sh', args: ['-c', script], ...program }),
    bounds,
  });
  assert.equal(outcome.type, 'started');
  const { process } = outcome;
  let text = '';
  process.listen({ stdout: (chunk) => (text += chunk), stderr: (chunk) => (text += chunk) });
  const [exit] = await Promise.all([process.exited, process.outputsEnded]);
  return { text, exit };
}

for (const way of WAYS) {
  test(`a program has its limits and its niceness from its first moment (${way} way)`, { skip }, async () => {
    const bounds = recordingBounds();
    const limits: Program['limits'] = [
      { resource: 'core', soft: 0, hard: 0 },
      { resource: 'openFiles', soft: 77, hard: 78 },
      { resource: 'processes', soft: 5_000, hard: 5_000 },
      { resource: 'cpu', soft: 3, hard: 4 },
    ];
    const engine = openEngine(way);
    for (let round = 0; round < ROUNDS; round += 1) {
      const script =
        'read -r stat </proc/$$/stat; set -- $stat; shift 18; echo $(ulimit -Sn) $(ulimit -Hn) $1 $(ulimit -t)';
      assert.equal((await outputOf(engine, script, { limits, nice: 5 }, bounds)).text, '77 78 5 3\n');
    }
    assert.deepEqual(bounds.failures, []);
  });

  test(`it is in its cgroup from its first moment, with all that it starts (${way} way)`, {
    skip: NO_LAUNCHER ?? NO_CGROUPS ?? false,
  }, async (t) => {
    const cgroup = testCgroup(t);
    const bounds = recordingBounds();
    const engine = openEngine(way);
    for (let round = 0; round < ROUNDS; round += 1) {
      const { text, exit } = await outputOf(engine, 'cat /proc/self/cgroup', { cgroup }, bounds);
      const [, path] = /^0::(.*)$/m.exec(text) ?? [];
      assert.ok(path !== undefined && cgroup.endsWith(path), text);
      assert.equal(exit.isCgroupEmpty, true);
    }
    assert.deepEqual(bounds.failures, []);
    const { text, exit } = await outputOf(engine, LEAVES_A_DAEMON, { cgroup }, bounds);
    assert.equal(exit.isCgroupEmpty, false);
    assert.ok(isAlive(Number(text)));
    killProcesses(cgroup);
    await waitUntil('it is ended', () => processesIn(cgroup).length === 0);
    assert.equal((await outputOf(engine, 'echo as before', { cgroup }, bounds)).text, 'as before\n');
    // Linux 6.14 and later end everything that is born there after that.
    writeFileSync(`${cgroup}/cgroup.kill`, '1');
    const scripts = ['echo all the same', 'echo beside it'];
    const both = await Promise.all(scripts.map((script) => outputOf(engine, script, { cgroup }, bounds)));
    assert.deepEqual(
      both.map(({ text }) => text),
      ['all the same\n', 'beside it\n'],
    );
  });

  test(`a cgroup that cannot be entered is told, and the program runs all the same (${way} way)`, {
    skip,
  }, async () => {
    for (const [cgroup, failure] of [
      ['/nonexistent/cgroup', /^cgroup ENOENT$/],
      ['/tmp', /^cgroup (EBADF|ENOENT|EINVAL)$/],
    ] as const) {
      const bounds = recordingBounds();
      assert.equal((await outputOf(openEngine(way), 'echo runs', { cgroup }, bounds)).text, 'runs\n');
      assert.equal(bounds.failures.length, 1);
      assert.match(bounds.failures[0] ?? '', failure);
    }
  });

  test(`it is wholly its user's, without rights, and the agent stays who it is (${way} way)`, {
    skip: NO_LAUNCHER ?? (PLUGIN_USER === undefined && 'only root may start programs as somebody else'),
  }, async () => {
    const engine = openEngine(way);
    const user = PLUGIN_USER && { ...PLUGIN_USER, groups: [12, 34] };
    const { text } = await outputOf(engine, 'cat /proc/self/status', { user });
    assert.match(text, /^Uid:\t65534\t65534\t65534\t65534$/m);
    assert.match(text, /^Gid:\t65534\t65534\t65534\t65534$/m);
    assert.match(text, /^Groups:\t12 34 ?$/m);
    assert.match(text, /^CapEff:\t0+$/m);
    assert.equal(statSync('/proc/self').uid, 0);
  });
}

test('a limit that only root may set beyond the own one is told when it cannot be', { skip }, async () => {
  const bounds = recordingBounds();
  const user = PLUGIN_USER;
  const { text } = await outputOf(openEngine('best'), 'exec nice', { nice: -7, user }, bounds);
  // Root may; everybody else hears that he may not.
  assert.ok(text === '-7\n' || bounds.failures.length === 1, `${text} ${bounds.failures.join()}`);
});

test('of a limit beyond what the agent may give, the soft bound is kept', { skip }, async () => {
  // More open files than that no kernel gives anybody.
  const limits: Program['limits'] = [{ resource: 'openFiles', soft: 50, hard: 4_000_000_000 }];
  const bounds = recordingBounds();
  const { text } = await outputOf(openEngine('best'), 'ulimit -Sn; ulimit -Hn', { limits }, bounds);
  const [soft, hard] = text.trim().split('\n').map(Number);
  assert.equal(soft, 50);
  assert.ok(hard !== undefined && hard > 50 && hard < 4_000_000_000, text);
  assert.deepEqual(bounds.failures, []);
});

for (const way of WAYS) {
  test(`one whose program is long in beginning keeps no output of another one open (${way} way)`, {
    skip: NO_LAUNCHER ?? NO_HUNG_MOUNT,
  }, async (t) => {
    assert.ok(library);
    const disk = new HungMount(t);
    // As another thread has it, between making the pipe of a process that it starts and closing its own end.
    const { readEnd, writeEnd } = openPipe(library);
    const start = openEngine(way).start({ program: programOf({ file: '/bin/true', folder: disk.path }) });
    closeDescriptor(library, writeEnd);
    const isOver = () => readNow(library, readEnd, Buffer.alloc(1)) === 0;
    await waitUntil('it is at its end', isOver, LESS_THAN_A_START_MS);
    closeDescriptor(library, readEnd);
    disk.answer();
    assert.equal((await start).type, 'failed');
  });
}

for (const way of WAYS) {
  test(`where descriptors do not suffice for the cgroup, too, it is not started outside of it (${way} way)`, {
    skip: NO_LAUNCHER ?? NO_CGROUPS ?? false,
  }, async (t) => {
    assert.ok(library);
    const bounds = recordingBounds();
    const engine = openEngine(way);
    const program = programOf({ file: '/bin/true', cgroup: testCgroup(t) });
    const start = withDescriptors(library, OUTPUT_DESCRIPTORS, () => engine.start({ program, bounds }));
    const outcome = await start;
    assert.ok(outcome.type === 'failed' && outcome.isShortage);
    assert.deepEqual(bounds.failures, []);
    assert.equal((await engine.start({ program, bounds })).type, 'started');
  });
}

test('a stdout that is read on while the kernel has no room to watch it is read as soon as it has', {
  skip,
}, async (t) => {
  assert.ok(library);
  let hasRoom = true;
  let watched = 0;
  const { functions } = library;
  const epoll_ctl: typeof functions.epoll_ctl = (epoll, operation, ...rest) => {
    if (operation !== EPOLL.add) return functions.epoll_ctl(epoll, operation, ...rest);
    watched += Number(hasRoom);
    return hasRoom ? functions.epoll_ctl(epoll, operation, ...rest) : -1;
  };
  const engine = new LauncherEngine({ ...library, functions: { ...functions, epoll_ctl } });
  const outcome = await engine.start({ program: programOf({ file: '/usr/bin/yes' }) });
  assert.ok(outcome.type === 'started');
  const { process } = outcome;
  t.after(async () => {
    process.killGroup('SIGKILL');
    process.closeOutputs();
    await process.exited;
  });
  let bytes = 0;
  process.listen({ stdout: (chunk) => (bytes += chunk.length), stderr: () => assert.fail() });
  await waitUntil('its outputs and its end are watched', () => watched === 3);
  process.pauseStdout();
  hasRoom = false;
  process.resumeStdout();
  hasRoom = true;
  const before = bytes;
  await waitUntil('it is read on', () => bytes > before);
});

/** Both ends of two pipes. */
const OUTPUT_DESCRIPTORS = 4;
const SOME_MORE = 100;

/** Does something while so many descriptors are left. */
function withDescriptors<T>(native: CLibrary, left: number, work: () => T): T {
  const hard = hardLimitOf(native, process.pid, 'openFiles');
  const first = openSync('/dev/null', 'r');
  const taken = [first];
  prlimit(native, process.pid, 'openFiles', { soft: first + SOME_MORE, hard });
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch {
    for (const descriptor of taken.splice(-left)) closeSync(descriptor);
    return work();
  } finally {
    for (const descriptor of taken) closeSync(descriptor);
    prlimit(native, process.pid, 'openFiles', { soft: hard, hard });
  }
}

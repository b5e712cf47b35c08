import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { codeOf } from '../../src/shared/coded-error.js';
import { abiOf } from '../../src/shared/native/abi.js';
import { type CLibrary, cLibrary } from '../../src/shared/native/c-library.js';
import { closeDescriptor, keepDescriptors, openPipe, readNow } from '../../src/shared/native/descriptors.js';
import { type ChildEnd, prlimit, setpriority, takeChildEnd } from '../../src/shared/native/process-calls.js';
import { Spawner } from '../../src/shared/native/spawn.js';
import { waitUntil } from '../support/wait-until.js';

const { library } = cLibrary();
const noLibrary = library === undefined && 'the C library cannot be called here';
const notRoot = process.getuid?.() !== 0 && 'takes root';

interface Ended extends ChildEnd {
  readonly stdout: string;
  readonly stderr: string;
}

interface Running {
  readonly pid: number;
  readonly end: () => Promise<Ended>;
}

function start(native: CLibrary, script: string, folder = '/'): Running {
  const [out, err] = [openPipe(native), openPipe(native)];
  const pid = new Spawner(native).spawn({
    file: '/bin/sh',
    args: ['sh', '-c', script],
    folder,
    environment: ['PATH=/usr/bin:/bin', 'GREETING=grüezi wohl'],
    stdout: out.writeEnd,
    stderr: err.writeEnd,
  });
  closeDescriptor(native, out.writeEnd);
  closeDescriptor(native, err.writeEnd);
  const end = async (): Promise<Ended> => {
    const ended = await waitUntil('it has ended', () => takeChildEnd(native, pid));
    assert.ok(ended !== 'not-ours');
    return { ...ended, stdout: drain(native, out.readEnd), stderr: drain(native, err.readEnd) };
  };
  return { pid, end };
}

function drain(native: CLibrary, descriptor: number): string {
  const chunk = Buffer.alloc(4096);
  let text = '';
  for (let bytes = readNow(native, descriptor, chunk); bytes; bytes = readNow(native, descriptor, chunk)) {
    text += chunk.toString('utf8', 0, bytes);
  }
  closeDescriptor(native, descriptor);
  return text;
}

function native(): CLibrary {
  assert.ok(library);
  return library;
}

test('both processors have their numbers, others none', () => {
  assert.ok(abiOf('x64'));
  assert.ok(abiOf('arm64'));
  assert.notDeepEqual(abiOf('x64'), abiOf('arm64'));
  assert.equal(abiOf('mips'), undefined);
});

test('a program starts with its arguments, folder, environment and outputs', {
  skip: noLibrary,
}, async () => {
  const end = await start(native(), 'pwd; env | sort; echo oops >&2; exit 7', tmpdir()).end();
  assert.deepEqual([end.code, end.signal], [7, undefined]);
  assert.equal(end.stderr, 'oops\n');
  const [folder, ...variables] = end.stdout.trim().split('\n');
  assert.equal(folder, tmpdir());
  assert.deepEqual(
    variables.filter((line) => !/^(_|PWD|OLDPWD|SHLVL)=/.test(line)),
    ['GREETING=grüezi wohl', 'PATH=/usr/bin:/bin'],
  );
});

test('it leads a session, sees only its own three descriptors, and no signal is ignored or blocked', {
  skip: noLibrary,
}, async () => {
  keepDescriptors(native());
  const running = start(
    native(),
    // A shell blocks all signals while it forks: the last command takes its place, and looks at itself.
    'ls /proc/$$/fd; cut -d " " -f 5,6 /proc/$$/stat; readlink /proc/$$/fd/0; exec grep -E "Sig(Blk|Ign)" /proc/self/status',
  );
  const { stdout } = await running.end();
  const [zero, one, two, ids, stdin, blocked, ignored] = stdout.trim().split('\n');
  assert.deepEqual([zero, one, two, stdin], ['0', '1', '2', '/dev/null']);
  assert.equal(ids, `${running.pid} ${running.pid}`);
  assert.match(`${blocked}`, /^SigBlk:\t0+$/);
  assert.match(`${ignored}`, /^SigIgn:\t0+$/);
});

test('its end tells the signal, and what it took up', { skip: noLibrary }, async () => {
  const killed = await start(native(), 'kill -SEGV $$').end();
  assert.deepEqual([killed.code, killed.signal], [undefined, 'SIGSEGV']);
  const nameless = await start(native(), 'kill -40 $$').end();
  assert.deepEqual([nameless.code, nameless.signal], [undefined, 'signal 40']);
  const busy = await start(native(), 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done').end();
  assert.ok(busy.usage.userMs > 0, `${busy.usage.userMs} ms`);
  assert.equal(busy.usage.maxRssBytes, undefined, 'it has less than this process');
  const bytes = 2 * process.resourceUsage().maxRSS * 1024;
  const big = await start(native(), `x=$(head -c ${bytes} /dev/zero | tr '\\0' x)`).end();
  assert.ok((big.usage.maxRssBytes ?? 0) >= bytes, `${big.usage.maxRssBytes} bytes`);
  assert.equal(takeChildEnd(native(), 1), 'not-ours');
});

test('what cannot be started is an error with the code of the system', { skip: noLibrary }, () => {
  const spawner = new Spawner(native());
  const request = { args: ['x'], environment: [], stdout: 1, stderr: 2 };
  const codeFor = (file: string, folder: string) => {
    try {
      spawner.spawn({ ...request, file, folder });
      return 'started';
    } catch (error) {
      return codeOf(error);
    }
  };
  assert.equal(codeFor('/nowhere/program', '/'), 'ENOENT');
  assert.equal(codeFor('/bin/sh', '/nowhere'), 'ENOENT');
  assert.equal(codeFor('/etc/passwd', '/'), 'EACCES');
  assert.equal(codeFor('/bin/sh', '/etc/passwd'), 'ENOTDIR');
});

test('bounds and niceness of a running process can be set', { skip: noLibrary }, async () => {
  const running = start(native(), 'read -r line </dev/zero');
  prlimit(native(), running.pid, 'openFiles', { soft: 33, hard: 44 });
  prlimit(native(), running.pid, 'core', { soft: 0, hard: 0 });
  setpriority(native(), running.pid, 7);
  const limits = readFileSync(`/proc/${running.pid}/limits`, 'utf8');
  assert.match(limits, /Max open files +33 +44 /);
  assert.match(limits, /Max core file size +0 +0 /);
  assert.equal(readFileSync(`/proc/${running.pid}/stat`, 'utf8').split(' ')[18], '7');
  native().functions.kill(running.pid, 9);
  assert.equal((await running.end()).signal, 'SIGKILL');
  assert.throws(() => prlimit(native(), running.pid, 'core', { soft: 0, hard: 0 }), { code: 'ESRCH' });
});

test('as root, a thread starts programs as somebody else and is itself again afterwards', {
  skip: noLibrary || notRoot,
}, async () => {
  const worker = new Worker(new URL('../support/identity-thread.js', import.meta.url));
  const [child, before, after] = await new Promise<string[]>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  assert.match(`${child}`, /^Uid:\t65534\t65534\t65534\t65534$/m);
  assert.match(`${child}`, /^Gid:\t65534\t65534\t65534\t65534$/m);
  assert.match(`${child}`, /^Groups:\t12345 *$/m);
  assert.match(`${child}`, /^NoNewPrivs:\t1$/m);
  for (const set of ['Inh', 'Prm', 'Eff', 'Amb'])
    assert.match(`${child}`, new RegExp(`^Cap${set}:\t0+$`, 'm'));
  assert.equal(after, before);
  assert.match(readFileSync('/proc/self/status', 'utf8'), /^NoNewPrivs:\t0$/m);
});

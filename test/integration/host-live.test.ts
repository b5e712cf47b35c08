import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { checkMount } from '../../src/workers/host/inspector/mount-check.js';
import { LIVE_PLACES } from '../../src/workers/host/places.js';
import { hostType as cpu } from '../../src/workers/host/types/cpu.js';
import { hostType as fs } from '../../src/workers/host/types/fs.js';
import { hostType as mem } from '../../src/workers/host/types/mem.js';
import { hostType as net } from '../../src/workers/host/types/net.js';
import { hostType as proc } from '../../src/workers/host/types/proc.js';
import { hostType as socket } from '../../src/workers/host/types/socket.js';
import { listenOnFreePort } from '../support/free-port.js';
import { loginRecords } from '../support/login-records.js';
import { outputOf, withoutProgram } from '../support/other-program.js';
import { RecordedHost, RecordedRounds, valuesOf } from '../support/recorded-host.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

/** A value that changes all the time was read in between two readings of the other program. */
interface Between {
  readonly before: number;
  readonly value: number;
  readonly after: number;
}

/** True when a value is not outside of the two others by more than the tolerance. */
function isBetween({ before, value, after }: Between, tolerance = 0): boolean {
  return value >= Math.min(before, after) - tolerance && value <= Math.max(before, after) + tolerance;
}

describe('beside what other programs say of this machine', () => {
  it('memory is that of free', { skip: withoutProgram('free', 'procps') }, async () => {
    const free = () => {
      const [total = 0, , , , , available = 0] = numbersBehind(outputOf('free', '-k'), 'Mem:');
      return { total, available };
    };
    await waitUntil('the memory does not move in between', async () => {
      const before = free();
      const values = valuesOf(await new RecordedRounds(mem, LIVE_PLACES).round());
      const after = free();
      assert.equal(values['mem.total'], Math.floor(before.total / 1024));
      const value = (values['mem.free'] ?? 0) * 1024;
      return isBetween({ before: before.available, value, after: after.available }, 1024);
    });
  });

  it('space and inodes are those of df', { skip: withoutProgram('df', 'coreutils') }, async (t) => {
    const host = new RecordedHost(t, 'vm');
    const df = () => {
      const columns = '--output=size,used,avail,pcent,ipcent';
      const line = outputOf('df', '-B1', columns, '/').split('\n')[1] ?? '';
      const [size = 0, used = 0, free = 0, percent = 0, inodes = 0] = line
        .trim()
        .split(/\s+/)
        .map((text) => Number.parseInt(text, 10));
      return { size, used, free, percent, inodes };
    };
    const inspect = async () => [checkMount('/', false)];
    await waitUntil('the file system does not move in between', async () => {
      const before = df();
      const values = valuesOf(await new RecordedRounds(fs, host.places).round(300, { inspect }));
      const after = df();
      const mebibytes = (name: string) => values[name] ?? 0;
      assert.equal(mebibytes('fs.space.total{/}'), Math.floor(before.size / 2 ** 20));
      const inodes = values['fs.inodes.used.percent{/}'];
      return (
        isBetween(
          { before: before.used, value: mebibytes('fs.space.used{/}') * 2 ** 20, after: after.used },
          2 ** 20,
        ) &&
        isBetween(
          { before: before.free, value: mebibytes('fs.space.free{/}') * 2 ** 20, after: after.free },
          2 ** 20,
        ) &&
        isBetween({
          before: before.percent,
          value: values['fs.space.used.percent{/}'] ?? -1,
          after: after.percent,
        }) &&
        (inodes === undefined || isBetween({ before: before.inodes, value: inodes, after: after.inodes }))
      );
    });
  });

  it('there are as many cores as nproc counts', { skip: withoutProgram('nproc', 'coreutils') }, async () => {
    const rounds = new RecordedRounds(cpu, LIVE_PLACES);
    await rounds.round();
    // It counts in ticks, and the sum of all and each core one after another: one may have moved and the other not yet.
    const cores = await waitUntil('the kernel has counted', async () => {
      const now = await rounds.round();
      const found = now.filter(({ name }) => name === 'cpu.idle.core');
      return now.some(({ name }) => name === 'cpu.idle') && found.length > 0 && found;
    });
    const listed = readFileSync('/proc/stat', 'latin1').match(/^cpu[0-9]+ /gm)?.length ?? 0;
    assert.equal(listed, Number(outputOf('nproc', '--all')));
    assert.ok(cores.length <= listed);
  });

  it('there are as many processes as ps lists', { skip: withoutProgram('ps', 'procps') }, async () => {
    const ps = () => outputOf('ps', '-e', '-o', 'pid=').trim().split('\n').length - 1;
    await waitUntil('they do not change in between', async () => {
      const before = ps();
      const values = valuesOf(await new RecordedRounds(cpu, LIVE_PLACES).round());
      const value = values['ps.total.num'] ?? 0;
      return isBetween({ before, value, after: ps() });
    });
  });

  it('an interface has taken in what ip counts', { skip: withoutProgram('ip', 'iproute2') }, async (t) => {
    const received = () =>
      Number(/"rx":\{"bytes":([0-9]+)/.exec(outputOf('ip', '-s', '-j', 'link', 'show', 'lo'))?.[1]);
    const rounds = new RecordedRounds(net, LIVE_PLACES);
    const settings = { settings: { interfacePrefixes: ['lo'] } };
    const before = [received()];
    await rounds.round(10, settings);
    before.push(received());
    await sendOverLoopback(t, 1_000_000);
    const after = [received()];
    const values = valuesOf(await rounds.round(10, settings));
    after.push(received());
    const bytes = ((values['net.in{lo}'] ?? 0) * 10) / 8;
    const [earliest = 0, afterFirst = 0] = before;
    const [beforeSecond = 0, latest = 0] = after;
    assert.ok(bytes >= 1_000_000, `${bytes}`);
    assert.ok(bytes >= beforeSecond - afterFirst - 1 && bytes <= latest - earliest + 1, `${bytes}`);
  });

  it('sockets are in the states that ss lists', { skip: withoutProgram('ss', 'iproute2') }, async (t) => {
    const server = createServer();
    const port = await listenOnFreePort(t, server);
    const clients = Array.from({ length: 20 }, () => connect(port, '127.0.0.1'));
    t.after(() => {
      for (const client of clients) client.destroy();
    });
    await Promise.all(clients.map((client) => once(client, 'connect')));
    const ss = (state: string) => outputOf('ss', '-Htn', 'state', state).split('\n').length - 1;
    for (const state of ['listen', 'established']) {
      await waitUntil(`sockets in state ${state} do not change in between`, async () => {
        const before = ss(state === 'listen' ? 'listening' : state);
        const values = valuesOf(await new RecordedRounds(socket, LIVE_PLACES).round());
        const value = values[`net.tcp.state{${state}}`] ?? -1;
        if (state === 'established') assert.ok(value >= 20, `${value}`);
        return isBetween({ before, value, after: ss(state === 'listen' ? 'listening' : state) });
      });
    }
  });

  it('a process is as ps shows it, by a path with blanks, and when its file is gone', async (t) => {
    const path = join(realpathSync(temporaryFolder(t)), 'a program');
    copyFileSync(realpathSync('/bin/sleep'), path);
    chmodSync(path, 0o755);
    const child = spawn(path, ['600'], { stdio: ['ignore', 'ignore', 'ignore'] });
    t.after(() => child.kill('SIGKILL'));
    await once(child, 'spawn');
    const plan = { plan: { processes: [{ namespace: 'shop', name: 'PROC.it', path }] } };
    const rounds = new RecordedRounds(proc, LIVE_PLACES);
    // It still loads its libraries at first: both are to see the same program.
    await waitUntil('it has started up', async () => {
      if (isStarting(child.pid)) return false;
      const before = residentBytes(child.pid);
      const values = valuesOf(await rounds.round(60, plan));
      const isTheSame = before === residentBytes(child.pid) && values['PROC.it.procnum'] === 1;
      if (!isTheSame) return false;
      assert.equal(values['PROC.it.fdnum'], readdirSync(`/proc/${child.pid}/fd`).length);
      assert.ok(Math.abs((values['PROC.it.mem'] ?? 0) - before) < 2 ** 20);
      return true;
    });
    unlinkSync(path);
    const values = valuesOf(await rounds.round(60, plan));
    assert.equal(values['PROC.it.procnum'], 1);
    assert.equal(values['PROC.it.cpu'], 0);
    assert.equal(values['PROC.it.io.write'], 0);
  });

  it('login records are laid out as last reads them', { skip: withoutProgram('last', 'util-linux') }, (t) => {
    const file = join(temporaryFolder(t), 'wtmp');
    t.after(() => rmSync(file, { force: true }));
    const seconds = Math.floor(Date.UTC(2026, 0, 2, 3, 4, 5) / 1000);
    const record = { type: 7, user: 'eve', remote: 'far.example.com', device: 'pts/7', seconds };
    writeFileSync(file, loginRecords(record));
    const text = outputOf('last', '--time-format', 'iso', '-f', file);
    assert.match(text, /^eve\s+pts\/7\s+far\.example\.com/m);
    assert.ok(text.includes(new Date(seconds * 1000).toISOString().slice(14, 19)), text);
  });
});

function residentBytes(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^VmRSS:\s+([0-9]+)/m.exec(status)?.[1]) * 1024;
}

/** A program that sleeps is not done before it does; waiting for the disk is another state. */
function isStarting(pid: number | undefined): boolean {
  return !/^State:\s+S/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
}

function numbersBehind(text: string, title: string): readonly number[] {
  const line = text.split('\n').find((candidate) => candidate.startsWith(title)) ?? '';
  return line.slice(title.length).trim().split(/\s+/).map(Number);
}

async function sendOverLoopback(t: Parameters<typeof listenOnFreePort>[0], bytes: number): Promise<void> {
  let received = 0;
  const server = createServer((connection: Socket) => {
    connection.on('data', (chunk) => {
      received += chunk.length;
    });
  });
  const port = await listenOnFreePort(t, server);
  const client = connect(port, '127.0.0.1');
  client.end(Buffer.alloc(bytes));
  await waitUntil('all has arrived', () => received === bytes);
}

/** A thread that starts a program as somebody else, and tells what that one and the thread itself are. */
import { readFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { cLibrary } from '../../src/shared/native/c-library.js';
import { openPipe, readNow } from '../../src/shared/native/descriptors.js';
import { giveUpNewPrivileges, takeChildEnd } from '../../src/shared/native/process-calls.js';
import { Spawner } from '../../src/shared/native/spawn.js';
import { inheritNoCapabilities, ThreadIdentity } from '../../src/shared/native/thread-identity.js';
import { waitUntil } from './wait-until.js';

const { library } = cLibrary();
if (library === undefined) throw new Error('the C library cannot be called here');

giveUpNewPrivileges(library);
inheritNoCapabilities(library);
const before = identityLines();
const identity = new ThreadIdentity(library);
const { readEnd, writeEnd } = openPipe(library);
const pid = identity.as({ uid: 65534, gid: 65534, groups: [12345] }, () =>
  new Spawner(library).spawn({
    file: '/bin/cat',
    args: ['cat', '/proc/self/status'],
    folder: '/',
    environment: [],
    stdout: writeEnd,
    stderr: writeEnd,
  }),
);
await waitUntil('it has ended', () => takeChildEnd(library, pid));
const output = Buffer.alloc(65_536);
const bytes = readNow(library, readEnd, output) ?? 0;
parentPort?.postMessage([output.toString('utf8', 0, bytes), before, identityLines()]);

function identityLines(): string {
  const lines = readFileSync('/proc/thread-self/status', 'utf8').split('\n');
  return lines.filter((line) => /^(Uid|Gid|Groups|Cap)/.test(line)).join('\n');
}

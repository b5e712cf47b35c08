/** The entry of an output host's process: serves the publisher at the other end of the socket, and ends with it. */
import { Socket } from 'node:net';
import koffi from 'koffi';
import { FrameReader, frame } from '../../shared/output-host/frames.js';
import { type FromOutputHost, HOST_SOCKET, type ToOutputHost } from '../../shared/output-host/messages.js';
import { OutputHost } from './output-host.js';
import { prepareCalls } from './plugin-library.js';

/** Of `prctl`: the signal that this process gets when the thread that started it ends. */
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/** Nothing of the library may hold up the end: no handler at exit, no destructor. */
function end(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable');
}

// The agent ends this process; a service manager or a terminal that signals all processes does not.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
prepareCalls();
koffi.load(null).func('prctl', 'int', ['int', 'ulong'])(PR_SET_PDEATHSIG, SIGKILL);

const socket = new Socket({ fd: HOST_SOCKET, readable: true, writable: true });
const host = new OutputHost(send);
let turn: Promise<void> = Promise.resolve();

function send(message: FromOutputHost): void {
  for (const part of frame(message)) socket.write(part);
}

// One after another: an init is over before the flushes that come behind it.
const reader = new FrameReader((head, body) => {
  turn = turn.then(async () => {
    if (await host.take(head as ToOutputHost, body)) socket.end(end);
  });
});

socket.on('data', (bytes: Buffer) => reader.push(bytes));
socket.on('end', end);
socket.on('error', end);
socket.on('close', end);

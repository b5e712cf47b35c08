import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** Below, ports of well-known servers are more likely. */
const LEAST_PORT = 10_000;

/**
 * A free port of the loopback address for a server that a test stops and starts again. It is none of those that the
 * kernel gives to whoever asks for any: in between another test would get it now and then.
 */
export async function lastingPort(): Promise<number> {
  const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
  const choices = Number.parseInt(range, 10) - LEAST_PORT;
  // Where the kernel gives nearly all of them, one of its own has to do.
  if (choices < LEAST_PORT) return 0;
  for (;;) {
    const port = LEAST_PORT + Math.floor(Math.random() * choices);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

/** Sees what a connection carries, as it comes and before it is passed on. */
export interface ConnectionTap {
  fromClient(chunk: Buffer): void;
  fromServer(chunk: Buffer): void;
}

export interface TcpProxyOptions {
  /** Called for each connection. */
  readonly tap?: () => ConnectionTap;
}

/** Stands between a client and a server, to break their connections, or to see what they carry. */
export interface TcpProxy {
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** How many times bytes came from the server. */
  readonly packets: number;
  /** Breaks all connections, in the middle of whatever they carry. */
  cut(): void;
  /** True: new connections are broken at once. */
  refusing: boolean;
  /** How late bytes are passed on, in milliseconds. */
  delayMs: number;
  /** Nothing is passed on but the first half of what comes next in each direction, until `release`. */
  stall(): void;
  release(): void;
}

export async function startTcpProxy(
  test: Pick<TestContext, 'after'>,
  target: string,
  options: TcpProxyOptions = {},
): Promise<TcpProxy> {
  const [host, targetPort] = target.split(':');
  const sockets = new Set<Socket>();
  let packets = 0;
  let stalled: { readonly over: Promise<void>; readonly end: () => void } | undefined;

  const watch = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // Broken connections are what this is for.
    socket.on('error', () => {});
    return socket;
  };

  const pass = async (chunk: Buffer, to: Socket) => {
    if (proxy.delayMs > 0) await sleep(proxy.delayMs);
    let rest = chunk;
    while (stalled) {
      const half = rest.length >> 1;
      if (half > 0) to.write(rest.subarray(0, half));
      rest = rest.subarray(half);
      await stalled.over;
    }
    if (!to.write(rest)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
  };

  const carry = (from: Socket, to: Socket, see: (chunk: Buffer) => void) => {
    from.on('data', (chunk: Buffer) => {
      see(chunk);
      from.pause();
      // The other side may have broken meanwhile: `close` below ends this side, too.
      void pass(chunk, to)
        .catch(() => undefined)
        .then(() => from.resume());
    });
    from.on('end', () => to.end());
    from.on('close', () => to.destroy());
  };

  const server = createServer((client) => {
    watch(client);
    if (proxy.refusing) {
      client.resetAndDestroy();
      return;
    }
    const behind = watch(connect(Number(targetPort), host));
    const tap = options.tap?.();
    carry(client, behind, (chunk) => tap?.fromClient(chunk));
    carry(behind, client, (chunk) => {
      packets += 1;
      tap?.fromServer(chunk);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the proxy has no port');
  const proxy: TcpProxy = {
    address: `127.0.0.1:${bound.port}`,
    get packets() {
      return packets;
    },
    cut: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    refusing: false,
    delayMs: 0,
    stall: () => {
      if (stalled) return;
      let end = () => {};
      const over = new Promise<void>((resolve) => {
        end = resolve;
      });
      stalled = { over, end };
    },
    release: () => {
      stalled?.end();
      stalled = undefined;
    },
  };
  test.after(() => {
    server.close();
    proxy.release();
    for (const socket of sockets) socket.destroy();
  });
  return proxy;
}

import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import type { TestContext } from 'node:test';

/** Has a server listen on a port of the loopback address that the kernel chooses, until the test ends. */
export async function listenOnFreePort(test: Pick<TestContext, 'after'>, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

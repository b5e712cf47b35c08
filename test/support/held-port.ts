import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

/**
 * Holds a port of the loopback address on which a server listened and will listen again, so that the kernel gives it to
 * nobody else meanwhile. Connections to it are refused as before, and whoever names the port may listen on it: what holds
 * it is a connection from there, which is no obstacle to that.
 * @returns lets it go
 */
export async function holdPort(port: number): Promise<() => void> {
  const server = createServer((end) => end.on('error', () => undefined).unref());
  server.unref().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connection = connect({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    localAddress: '127.0.0.1',
    localPort: port,
  });
  // Should somebody have been faster, that shows when the port is to be listened on again.
  await once(connection, 'connect').catch(() => undefined);
  connection.unref();
  return () => {
    connection.resetAndDestroy();
    server.close();
  };
}

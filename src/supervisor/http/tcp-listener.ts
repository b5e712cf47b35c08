import { once } from 'node:events';
import type { Server } from 'node:http';
import { CodedError, codeOf, reasonOf } from '../../shared/coded-error.js';
import { formatHostPort } from '../../shared/host-port.js';
import type { ListenAddress } from './listen-address.js';

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there; end it, or set another port in [agent] listen',
  EACCES: 'ports below 1024 need root; set a higher one in [agent] listen',
  EADDRNOTAVAIL: 'this host does not have that address; set one of its own in [agent] listen',
  ENOTFOUND: 'there is no such host name; set an address of this host in [agent] listen',
  EAI_AGAIN: 'the host name cannot be looked up now; set an address of this host in [agent] listen',
};

/**
 * Starts to listen on TCP and gives the address with the real port.
 * @throws CodedError `listen`
 */
export async function listenOnTcp(server: Server, address: ListenAddress): Promise<string> {
  try {
    server.listen({ port: address.port, ...(address.host === undefined ? {} : { host: address.host }) });
    await once(server, 'listening');
  } catch (thrown) {
    const reason = REASONS[codeOf(thrown) ?? ''] ?? reasonOf(thrown);
    const name = formatHostPort({ host: address.host ?? '', port: address.port });
    throw new CodedError('listen', `cannot listen on ${name}: ${reason}`, { cause: thrown });
  }
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('a TCP server has an address');
  return formatHostPort({ host: bound.address, port: bound.port });
}

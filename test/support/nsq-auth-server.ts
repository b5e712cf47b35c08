import { once } from 'node:events';
import { createServer } from 'node:http';
import type { TestContext } from 'node:test';

/** What nsqd asks whether a client may publish: only this secret may, and only to topics that match the pattern. */
export async function startAuthServer(
  test: Pick<TestContext, 'after'>,
  secret: string,
  topic: string,
): Promise<string> {
  const allowed = { topic, channels: ['.*'], permissions: ['publish', 'subscribe'] };
  const server = createServer((request, response) => {
    const given = new URL(request.url ?? '', 'http://localhost').searchParams.get('secret');
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ ttl: 3600, identity: 'test', authorizations: given === secret ? [allowed] : [] }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the auth server has no port');
  return `127.0.0.1:${bound.port}`;
}

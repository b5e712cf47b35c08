import { spawn } from 'node:child_process';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { gitEnvironment } from './git-repository.js';

/** Serves the repositories below `folder` by git's own protocol; gives the address to put their names behind. */
export async function serveGit(test: Pick<TestContext, 'after'>, folder: string): Promise<string> {
  const server = createServer((socket) => {
    const args = ['daemon', '--inetd', '--export-all', `--base-path=${folder}`, folder];
    const child = spawn('git', args, { env: gitEnvironment(), stdio: ['pipe', 'pipe', 'ignore'] });
    socket.on('error', () => child.kill());
    child.stdin.on('error', () => socket.destroy());
    socket.pipe(child.stdin);
    child.stdout.pipe(socket);
  });
  return `git://127.0.0.1:${await listen(test, server)}`;
}

/** Takes connections and never says a word; `connections` are those that are open. */
export async function hangingServer(test: Pick<TestContext, 'after'>) {
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => connections.delete(socket));
    socket.resume();
  });
  const port = await listen(test, server);
  return { address: `git://127.0.0.1:${port}`, connections };
}

/** Serves repositories over HTTP to who gives this user and password; others get 401. */
export async function serveGitOverHttp(
  test: Pick<TestContext, 'after'>,
  folder: string,
  login: { readonly user: string; readonly password: string },
): Promise<{ readonly host: string }> {
  const expected = `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`;
  const server = createHttpServer((request, response) => {
    if (request.headers.authorization !== expected) {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end('who are you?');
      return;
    }
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const environment = {
      ...gitEnvironment(),
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method ?? 'GET',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      REMOTE_USER: login.user,
    };
    const child = spawn('git', ['http-backend'], { env: environment, stdio: ['pipe', 'pipe', 'ignore'] });
    child.stdin.on('error', () => undefined);
    request.pipe(child.stdin);
    const output: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.on('close', () => {
      const answer = Buffer.concat(output);
      const end = answer.indexOf('\r\n\r\n');
      let status = 200;
      for (const line of answer.subarray(0, end).toString().split('\r\n')) {
        const [name = '', value = ''] = line.split(': ');
        if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
        else response.setHeader(name, value);
      }
      response.writeHead(status).end(answer.subarray(end + 4));
    });
  });
  return { host: `127.0.0.1:${await listen(test, server)}` };
}

/** Listens on a port of the kernel's choice until the test ends. */
async function listen(test: Pick<TestContext, 'after'>, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  test.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { isIP } from 'node:net';
import type { TestContext } from 'node:test';
import { lastingPort } from './lasting-port.js';

/** How an answer of the server goes wrong. */
export type Misbehaviour =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly type: string;
      readonly body: string | Buffer;
    }
  | { readonly kind: 'gzip'; readonly body: Buffer }
  | { readonly kind: 'redirect'; readonly location: string }
  /** Takes the request and says nothing. */
  | { readonly kind: 'hang' }
  /** Begins an answer and stops. */
  | { readonly kind: 'stop-in-body' }
  /** Sends a byte now and then, for ever. */
  | { readonly kind: 'trickle' }
  /** Closes the connection in the middle of an answer. */
  | { readonly kind: 'cut' }
  /** Sends without end, in chunks of no announced length. */
  | { readonly kind: 'endless' };

export interface Question {
  readonly path: '/api/v1/agent/ns' | '/api/v1/agent/resource' | '/api/v1/agent/report';
  /** Of a question for a namespace's items. */
  readonly namespace: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly authorization: string | undefined;
}

export interface Resource {
  readonly id: string;
  readonly items: unknown;
}

/** The registry's HTTP API as the agent uses it; whatever a real registry would not understand gets a 400. */
export class RegistryServer {
  /** What it answers to every host. */
  readonly resources = new Map<string, Resource>();
  /** Host names that it knows: asking under a new one registers it. */
  readonly hosts = new Set<string>();
  readonly questions: Question[] = [];
  /** What was wrong with requests, in words. */
  readonly violations: string[] = [];
  /** Decides for each question whether its answer goes wrong. */
  misbehave: (question: Question) => Misbehaviour | undefined = () => undefined;
  readonly #scheme: 'http' | 'https';
  readonly #server: ReturnType<typeof createHttpServer>;
  #port = 0;

  constructor(certificate?: { readonly key: string; readonly cert: string }) {
    const listener = (request: IncomingMessage, response: ServerResponse) =>
      void this.#answer(request, response);
    this.#scheme = certificate === undefined ? 'http' : 'https';
    this.#server =
      certificate === undefined ? createHttpServer(listener) : createHttpsServer(certificate, listener);
  }

  get address(): string {
    return `${this.#scheme}://127.0.0.1:${this.#port}`;
  }

  /** Listens, after a stop on the same port again. */
  async start(): Promise<void> {
    this.#port ||= await lastingPort();
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  asked(path: Question['path']): Question[] {
    return this.questions.filter((question) => question.path === path);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const question = this.#understand(request, Buffer.concat(chunks).toString());
    if (typeof question === 'string') {
      this.violations.push(question);
      send(response, 400, null, question);
      return;
    }
    this.questions.push(question);
    const misbehaviour = this.misbehave(question);
    if (misbehaviour !== undefined) goWrong(misbehaviour, response);
    else this.#answerWell(question, response);
  }

  #understand(request: IncomingMessage, text: string): Question | string {
    const url = new URL(request.url ?? '', this.address);
    const wanted = `${request.method} ${url.pathname}`;
    const { authorization } = request.headers;
    if (wanted === 'GET /api/v1/agent/resource') {
      const namespace = url.searchParams.get('ns') ?? '';
      const keys = [...url.searchParams.keys()].sort().join();
      if (keys !== 'ns,type' || url.searchParams.get('type') !== 'collect') return `query ${url.search}`;
      if (text !== '') return 'a body in a GET';
      return { path: '/api/v1/agent/resource', namespace, body: {}, authorization };
    }
    if (wanted !== 'POST /api/v1/agent/ns' && wanted !== 'POST /api/v1/agent/report')
      return `no such path: ${wanted}`;
    if (request.headers['content-type'] !== 'application/json') return 'not sent as application/json';
    const body: Record<string, unknown> = JSON.parse(text);
    const path = wanted === 'POST /api/v1/agent/ns' ? '/api/v1/agent/ns' : '/api/v1/agent/report';
    const wrong = path === '/api/v1/agent/ns' ? wrongInHost(body) : this.#wrongInReport(body);
    return wrong ?? { path, namespace: '', body, authorization };
  }

  #wrongInReport(body: Record<string, unknown>): string | undefined {
    const wrong = wrongInReport(body);
    if (wrong !== undefined) return wrong;
    const namespaces = list(body.ns).map((namespace) => this.resources.get(String(namespace)));
    if (namespaces.includes(undefined)) return 'an unknown namespace in ns';
    const ids = namespaces.map((resource) => resource?.id).filter((id) => id !== '');
    if (ids.join() !== list(body.uuid).join()) return `uuid ${body.uuid} is not of ${body.ns}`;
    if (!this.hosts.has(String(body.oldhostname))) return `no host ${body.oldhostname} is registered`;
    return undefined;
  }

  #answerWell({ path, namespace, body }: Question, response: ServerResponse): void {
    if (path === '/api/v1/agent/ns') {
      this.hosts.add(String(body.hostname));
      send(response, 200, Object.fromEntries(Array.from(this.resources, ([ns, { id }]) => [ns, id])), '');
      return;
    }
    if (path === '/api/v1/agent/report') {
      if (body.update === true) {
        this.hosts.delete(String(body.oldhostname));
        this.hosts.add(String(body.newhostname));
      }
      send(response, 200, null, 'success');
      return;
    }
    const resource = this.resources.get(namespace);
    if (resource === undefined) send(response, 500, null, 'node not found');
    else send(response, 200, resource.items, '');
  }
}

/** A server that listens until the test ends. */
export async function startRegistryServer(
  test: Pick<TestContext, 'after'>,
  certificate?: { readonly key: string; readonly cert: string },
): Promise<RegistryServer> {
  const server = new RegistryServer(certificate);
  await server.start();
  test.after(() => server.stop());
  return server;
}

function send(response: ServerResponse, httpstatus: number, data: unknown, msg: string): void {
  response.writeHead(httpstatus, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify({ httpstatus, data, msg }));
}

function goWrong(how: Misbehaviour, response: ServerResponse): void {
  switch (how.kind) {
    case 'answer':
      response.writeHead(how.status, { 'content-type': how.type }).end(how.body);
      return;
    case 'gzip':
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
        .end(how.body);
      return;
    case 'redirect':
      response.writeHead(302, { location: how.location }).end();
      return;
    case 'hang':
      return;
    case 'stop-in-body':
      response.writeHead(200).write('{"httpstatus":200,"data":');
      return;
    case 'trickle': {
      response.writeHead(200).write('{');
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
      return;
    }
    case 'cut':
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"httpstatus":200,', () => response.destroy());
      return;
    case 'endless': {
      response.writeHead(200);
      const timer = setInterval(() => response.write('[0],'.repeat(4096)), 1);
      response.on('close', () => clearInterval(timer));
    }
  }
}

function wrongInHost(body: Record<string, unknown>): string | undefined {
  if (keysOf(body) !== 'hostname,ip,sn') return `keys of agent/ns: ${keysOf(body)}`;
  if (typeof body.hostname !== 'string' || body.hostname === '') return 'invalid information';
  if (typeof body.sn !== 'string' || /\s/.test(body.sn)) return 'sn is no text without blanks';
  if (typeof body.ip !== 'string') return 'ip is no text';
  if (body.ip !== '' && !body.ip.split(',').every((address) => isIP(address) > 0)) return `ip: ${body.ip}`;
  return undefined;
}

const REPORT_TEXTS = [
  'sn',
  'version',
  'commit',
  'branch',
  'buildtime',
  'goversion',
  'newhostname',
  'oldhostname',
  'agenttype',
  'utime',
];
/** Which agent it is, and on what it runs. */
const REPORT_FILLED = ['version', 'goversion', 'agenttype'];
const CLOCKS_APART_MAX_MS = 600_000;
const REPORT_LISTS = ['uuid', 'ns', 'newiplist', 'oldiplist'];
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

function wrongInReport(body: Record<string, unknown>): string | undefined {
  if (keysOf(body) !== [...REPORT_TEXTS, ...REPORT_LISTS, 'update'].sort().join()) {
    return `keys of the report: ${keysOf(body)}`;
  }
  if (!REPORT_TEXTS.every((key) => typeof body[key] === 'string')) return 'a text of the report is none';
  if (!REPORT_LISTS.every((key) => list(body[key]).every((entry) => typeof entry === 'string'))) {
    return 'a list of the report is none of texts';
  }
  if (body.newhostname === '' || body.oldhostname === '') return 'a host name is empty';
  if (typeof body.update !== 'boolean') return 'update is neither true nor false';
  if (!RFC_3339.test(String(body.utime))) return `utime is not RFC 3339: ${body.utime}`;
  if (Math.abs(Date.now() - Date.parse(String(body.utime))) > CLOCKS_APART_MAX_MS)
    return `utime is ${body.utime}`;
  if (!REPORT_FILLED.every((key) => body[key] !== '')) return 'a text that says what runs is empty';
  const addresses = [...list(body.newiplist), ...list(body.oldiplist)].map(String);
  if (!addresses.every((address) => isIP(address) > 0)) return `no addresses: ${addresses}`;
  const isRenamed = body.newhostname !== body.oldhostname;
  const isMoved = list(body.newiplist).toSorted().join() !== list(body.oldiplist).toSorted().join();
  return body.update === (isRenamed || isMoved) ? undefined : `update is ${body.update}`;
}

function keysOf(body: Record<string, unknown>): string {
  return Object.keys(body).sort().join();
}

/** A list, or one that fits nothing for whatever is no list. */
function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [undefined];
}

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AgentProcess } from '../support/agent-process.js';
import { nsqdSkipReason, startNsqd } from '../support/nsqd.js';
import { ascending, numbersAt, postNumbers, upTo } from '../support/numbered-points.js';
import { waitUntil } from '../support/wait-until.js';

const skip = nsqdSkipReason;

/** A write endpoint that counts lines; it can be told not to answer. */
class WriteEndpoint {
  readonly #server: Server;
  readonly numbers: number[] = [];
  isSilent = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(t: TestContext): Promise<WriteEndpoint> {
    const server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      request.on('end', () => {
        if (endpoint.isSilent) return;
        for (const [, value] of body.matchAll(/ value=(\d+)/g)) endpoint.numbers.push(Number(value));
        response.writeHead(204).end();
      });
    });
    const endpoint = new WriteEndpoint(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return endpoint;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends what it has left unanswered. */
  drop(): void {
    this.#server.closeAllConnections();
  }
}

const ALIASES = ['nsq', 'influx', 'archive', 'console'];

test('four outputs at once, each away in turn: none holds up another, and each gets all; a stop says what is kept', {
  skip,
}, async (t) => {
  const nsqd = await startNsqd(t);
  const endpoint = await WriteEndpoint.start(t);
  const options = (folder: string) => `[[outputs]]
name = "influxdb"
alias = "influx"
url = "${endpoint.url}"
database = "metrics"
gzip = false
responsetimeout = 2
buffersize = 200
[[outputs]]
name = "file"
alias = "archive"
path = "${folder}/points.json"
buffersize = 200
[[outputs]]
name = "stdout"
alias = "console"
buffersize = 200
`;
  const output = `servers = ["${nsqd.tcpAddress}"]\nbuffersize = 200\nresponsetimeout = 2`;
  const path = join('/tmp', `agent-test-archive-${process.pid}`);
  mkdirSync(path, { recursive: true });
  t.after(() => rmSync(path, { recursive: true, force: true }));
  const archive = join(path, 'points.json');
  const agent = await AgentProcess.start(t, { output, outputs: options(path) });
  let next = 0;
  const post = async (posts: number) => {
    for (let n = 0; n < posts; n += 1) {
      assert.equal((await postNumbers(agent, 100, next)).status, 200);
      next += 100;
    }
  };
  const lagOf = async (alias: string) => (await agent.outputStatus(alias)).lagPoints;
  const others = async (away: string) => {
    for (const alias of ALIASES) {
      if (alias !== away) await waitUntil(`${alias} has all`, async () => (await lagOf(alias)) === 0);
    }
    assert.ok((await lagOf(away)) > 0, `${away} has not`);
    assert.ok((await agent.outputStatus(away)).memoryPoints <= 2000);
  };
  await post(2);
  await nsqd.stop();
  await post(20);
  await others('nsq');
  await nsqd.start();
  await waitUntil('nsq has all', async () => (await lagOf('nsq')) === 0);

  endpoint.isSilent = true;
  await post(20);
  await others('influx');
  endpoint.isSilent = false;
  endpoint.drop();
  await waitUntil('influx has all', async () => (await lagOf('influx')) === 0);

  rmSync(path, { recursive: true });
  mkdirSync(archive, { recursive: true });
  await post(20);
  // What the file had is gone with it; from here on it is away.
  const archived = next;
  await waitUntil('the file is away', async () => (await lagOf('archive')) > 0);
  rmSync(path, { recursive: true });
  mkdirSync(path);
  await waitUntil('archive has all', async () => (await lagOf('archive')) === 0);
  assert.ok(archived > 0);

  endpoint.isSilent = true;
  await nsqd.pause();
  await post(10);
  assert.equal(await agent.kill('SIGTERM'), 0);
  nsqd.resume();
  assert.match(agent.stderr, /INFO.*\d+ points .*wait on disk for the next start/);
  assert.doesNotMatch(agent.stderr, /lost/);
  endpoint.isSilent = false;
  endpoint.drop();

  const again = await AgentProcess.start(t, { output, outputs: options(path), folder: agent.folder });
  await waitUntil('all have all', async () => {
    const lags = await Promise.all(ALIASES.map(async (alias) => (await again.outputStatus(alias)).lagPoints));
    return lags.every((lag) => lag === 0);
  });
  assert.equal(await again.kill('SIGTERM'), 0);
  assert.deepEqual(ascending(new Set(await numbersAt(nsqd))), upTo(next));
  assert.deepEqual(ascending(new Set(endpoint.numbers)), upTo(next));
  const printed = [...agent.documents(), ...again.documents()];
  const values = printed.flatMap(({ points }) => points).map(({ fields }) => Number(fields.value));
  assert.deepEqual(ascending(new Set(values)), upTo(next));
  assert.ok(readFileSync(archive, 'utf8').split('\n').length > 10);
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { call, startCall } from '../support/command-line.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

test('the demo prints points documents of its three plugins and three curl lines, and cleans up', async (context) => {
  const scratch = temporaryFolder(context);
  const demo = startCall(context, ['demo', '--listen', '127.0.0.1:0'], { TMPDIR: scratch });
  const invitation = await demo.says(/\/post\?/);
  const urls = [...invitation.matchAll(/^ {2}curl '(http:\/\/[^']+)'(?: -d '(.*)')?$/gm)];
  assert.equal(urls.length, 3);
  for (const plugin of ['load', 'uptime', 'memory']) await demo.says(new RegExp(`"PLUGIN\\.${plugin}\\.`));
  for (const [, url = '', body] of urls) {
    const { status, text } = await waitUntil('no scheduled run is in the way', async () => {
      const response = await fetch(url, body === undefined ? {} : { method: 'POST', body });
      return response.status !== 409 && { status: response.status, text: await response.text() };
    });
    assert.equal(status, 200, `${url}: ${text}`);
  }
  await demo.says(/"measurement":"answer"/);

  demo.process.kill('SIGINT');
  const { code, stdout } = await demo.ended;
  assert.equal(code, 0);
  const lines = stdout.trim().split('\n');
  for (const line of lines) assert.equal(JSON.parse(line).database, 'demo.local');
  assert.deepEqual(readdirSync(scratch), [], 'the scratch folder is gone');
});

test('the demo names the way out when its port is taken', async (context) => {
  const scratch = temporaryFolder(context);
  const other = createServer();
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  context.after(() => other.close());
  const address = other.address();
  const listen = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const { code, stderr } = await call(context, ['demo', '--listen', listen], { TMPDIR: scratch });
  assert.equal(code, 1);
  assert.match(stderr, /another program listens on .*--listen/);
  assert.deepEqual(readdirSync(scratch), []);
});

test('the demo does not depend on the git settings of its user', async (context) => {
  const scratch = temporaryFolder(context);
  const environment = {
    TMPDIR: scratch,
    HOME: scratch,
    GIT_DIR: '/nowhere',
    GIT_AUTHOR_EMAIL: '',
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'commit.gpgsign',
    GIT_CONFIG_VALUE_0: 'true',
    AGENT_OUTPUT_NAME: 'nsq',
  };
  const demo = startCall(context, ['demo', '--listen', '127.0.0.1:0'], environment);
  await demo.says(/curl/);
  demo.process.kill('SIGTERM');
  assert.equal((await demo.ended).code, 0);
});

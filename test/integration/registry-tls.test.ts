import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { startRegistryServer } from '../support/registry-server.js';
import { openRegistry } from '../support/registry-under-test.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const opensslMissing = spawnSync('openssl', ['version']).status !== 0;
const skip =
  opensslMissing && process.env.CI !== 'true' ? 'the program openssl is not on this machine' : false;

interface Certificate {
  readonly key: string;
  readonly cert: string;
  readonly certFile: string;
}

/** A certificate of its own authority. */
function makeCertificate(t: TestContext, subjectAltName: string): Certificate {
  const folder = temporaryFolder(t);
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=registry', '-addext', `subjectAltName=${subjectAltName}`];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      keyFile,
      '-out',
      certFile,
      ...subject,
    ],
    { stdio: 'pipe' },
  );
  return { key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certFile, 'utf8'), certFile };
}

describe('a registry with TLS', { skip }, () => {
  it('is trusted by the authority of registryca only', async (t) => {
    const certificate = makeCertificate(t, 'IP:127.0.0.1');
    const server = await startRegistryServer(t, certificate);
    server.resources.set('cache.shop', { id: '1', items: [] });
    const { registry } = openRegistry(t, server.address, { authorityFile: certificate.certFile });
    assert.deepEqual((await registry.sync()).namespaces, ['cache.shop']);
    await assert.rejects(
      openRegistry(t, server.address).registry.sync(),
      /authority that is not known .*registryca/,
    );
  });

  it('is not trusted with a certificate for another host', async (t) => {
    const certificate = makeCertificate(t, 'DNS:elsewhere.example');
    const server = await startRegistryServer(t, certificate);
    const { registry } = openRegistry(t, server.address, { authorityFile: certificate.certFile });
    await assert.rejects(registry.sync(), /certificate for another host name/);
  });

  it('cannot be asked while the file of registryca is missing or holds none', async (t) => {
    const folder = temporaryFolder(t);
    const { registry } = openRegistry(t, 'https://127.0.0.1:1', {
      authorityFile: join(folder, 'missing.pem'),
    });
    await assert.rejects(registry.sync(), { code: 'registry', message: /registryca.*ENOENT.*missing\.pem/ });
    writeFileSync(join(folder, 'empty.pem'), 'nothing');
    const empty = openRegistry(t, 'https://127.0.0.1:1', { authorityFile: join(folder, 'empty.pem') });
    await assert.rejects(empty.registry.sync(), /holds no certificate/);
  });

  it('that speaks plain HTTP is told so', async (t) => {
    const server = await startRegistryServer(t);
    const { registry } = openRegistry(t, server.address.replace('http:', 'https:'));
    await assert.rejects(registry.sync(), { code: 'registry', message: /does not speak TLS/ });
  });
});

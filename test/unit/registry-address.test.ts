import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { parseRegistryAddress } from '../../src/supervisor/registry/registry-address.js';
import { requestFailure } from '../../src/supervisor/registry/request-failure.js';

describe('the address of the registry', () => {
  it('may be a document: relative to the folder of the process, or absolute', () => {
    assert.deepEqual(parseRegistryAddress('file:conf/registry.json'), {
      kind: 'file',
      path: resolve('conf/registry.json'),
    });
    for (const text of [
      'file:/srv/registry.json',
      'file:///srv/registry.json',
      'file://localhost/srv/registry.json',
    ]) {
      assert.deepEqual(parseRegistryAddress(text), { kind: 'file', path: '/srv/registry.json' });
    }
  });

  it('may be a URL with a path', () => {
    const address = parseRegistryAddress('http://registry.example:8004/loda');
    assert.equal(address.kind === 'http' && address.base.href, 'http://registry.example:8004/loda/');
  });

  it('keeps credentials apart from what is shown', () => {
    const address = parseRegistryAddress('https://me:p%40ss@registry.example/');
    assert.ok(address.kind === 'http');
    assert.equal(address.base.href, 'https://registry.example/');
    assert.equal(address.authorization, `Basic ${Buffer.from('me:p@ss').toString('base64')}`);
  });

  it('is refused when it is something else, without being repeated', () => {
    for (const text of [
      '',
      'registry.example',
      'ftp://me:secret@x/',
      'file:',
      'file://host/x',
      'file:a\0b',
    ]) {
      assert.throws(
        () => parseRegistryAddress(text),
        (error: Error) => /registryaddr/.test(error.message) && !error.message.includes('secret'),
      );
    }
  });
});

describe('a failed request', () => {
  it('is told in words, also when several addresses were tried', () => {
    const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
    assert.match(requestFailure(new AggregateError([refused]), 1000), /refuses connections/);
    assert.match(requestFailure(new Error('outer', { cause: refused }), 1000), /refuses connections/);
    assert.match(
      requestFailure(new DOMException('aborted', 'TimeoutError'), 1000),
      /did not finish its answer in 3 s/,
    );
    assert.match(requestFailure(new Error('strange'), 1000), /strange/);
    assert.match(requestFailure(undefined, 1000), /cannot be asked/);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressProblem, sameRepository } from '../../src/supervisor/git/git-address.js';
import { GIT_PROTOCOLS, type GitProtocol } from '../../src/supervisor/git/git-protocol.js';
import { allowedProtocols, resolveRepository } from '../../src/supervisor/git/repository.js';

const USUAL: ReadonlySet<GitProtocol> = new Set(['https', 'ssh', 'git']);
const ALL: ReadonlySet<GitProtocol> = new Set(GIT_PROTOCOLS);
const TEMPLATE = 'https://git.example.com/%s.git';

describe('a git address without a template', () => {
  const good: readonly [string, string][] = [
    ['https://git.example.com/monitor/redis.git', 'redis'],
    ['https://git.example.com:8443/a/b/c/redis', 'redis'],
    ['https://git.example.com/monitor/redis/', 'redis'],
    ['ssh://git@git.example.com:2222/monitor/redis.git', 'redis'],
    ['ssh://[fe80::1]:22/monitor/redis.git', 'redis'],
    ['ssh://git@git.example.com/~monitor/redis.git', 'redis'],
    ['git://git.example.com/redis', 'redis'],
    ['git@git.example.com:monitor/redis.git', 'redis'],
    ['git@git.example.com:/srv/git/redis.git', 'redis'],
    ['git@10.0.0.7:redis_2.x.git', 'redis_2.x'],
  ];
  for (const [text, project] of good) {
    it(`is used as it stands: ${text}`, () => {
      assert.deepEqual(resolveRepository(text, '', USUAL), { project, address: text });
    });
  }

  it('may be a path or an http address where that is allowed', () => {
    for (const text of [
      '/srv/git/redis.git',
      'file:///srv/git/redis.git',
      'http://git.example.com/m/redis',
    ]) {
      assert.equal(resolveRepository(text, '', ALL).address, text);
      assert.throws(() => resolveRepository(text, '', USUAL), /gitprotocols does not allow/);
    }
  });

  it('cannot be a bare group/project, and the error names the setting', () => {
    assert.throws(() => resolveRepository('monitor/redis', '', ALL), {
      code: 'git-address',
      message: /names no host; set \[agent\] git/,
    });
  });
});

describe('a git address with a template', () => {
  const texts = [
    'git@anywhere.example:monitor/redis.git',
    'https://elsewhere.example/deep/down/monitor/redis.git',
    'http://elsewhere.example/monitor/redis',
    'file:///srv/monitor/redis.git',
    'monitor/redis',
    'monitor/redis.git',
    'deep/monitor/redis',
  ];
  for (const text of texts) {
    it(`is made of the last two parts of the path: ${text}`, () => {
      assert.deepEqual(resolveRepository(text, TEMPLATE, USUAL), {
        project: 'redis',
        address: 'https://git.example.com/monitor/redis.git',
      });
    });
  }

  it('takes the parts literally', () => {
    assert.equal(resolveRepository('a_b/c.d', '/srv/%s', ALL).address, '/srv/a_b/c.d');
  });

  it('needs a group', () => {
    assert.throws(() => resolveRepository('redis', TEMPLATE, USUAL), /names no group/);
    assert.throws(() => resolveRepository('git@h:redis.git', TEMPLATE, USUAL), /names no group/);
  });

  it('refuses a template that is none', () => {
    assert.throws(() => resolveRepository('a/b', 'https://h/', USUAL), /must hold "%s" once/);
    assert.throws(() => resolveRepository('a/b', 'https://h/%s/%s', USUAL), /must hold "%s" once/);
    assert.throws(() => resolveRepository('a/b', 'ext::sh -c %s', USUAL), /blank or a control character/);
  });
});

describe('a git address is refused, with and without a template, when it', () => {
  const bad: readonly [string, string, RegExp][] = [
    ['is empty', '', /is empty/],
    ['is an option', '--upload-pack=touch/x', /looks like an option/],
    ['is a short option', '-u/x', /looks like an option/],
    ['has an option of ssh for a host', 'ssh://-oProxyCommand=x/a/b', /looks like an option of ssh/],
    ['has an option of ssh behind a user', 'ssh://git@-oProxyCommand=x/a/b', /looks like an option of ssh/],
    ['has an option of ssh in the short form', 'git@-oProxyCommand=x:a/b', /looks like an option of ssh/],
    ['has an option of ssh for a user', '-oProxyCommand=x@host:a/b', /looks like an option/],
    ['has an option for a user', 'ssh://-l@host/a/b', /user name/],
    ['has an option in its path', 'git@host:--upload-pack=x/b', /looks like an option/],
    ['has an option for a project', 'https://host/a/--upload-pack=x', /looks like an option/],
    ['names a transport helper', 'ext::sh/-c', /transport helper/],
    ['names another transport helper', 'fd::17/x', /transport helper/],
    ['has an unknown scheme', 'ftp://host/a/b', /is reached by "ftp"/],
    ['has a scheme in capitals', 'FILE:///a/b', /is reached by "FILE"/],
    ['has no scheme that is known', 'rsync://host/a/b', /is reached by "rsync"/],
    ['climbs out', 'https://host/../../etc', /".." in its path/],
    ['is a path that climbs out', '../../etc', /".." in its path/],
    ['climbs out in the short form', 'git@host:../../etc/passwd', /".." in its path/],
    ['ends above', 'https://host/a/..', /".." in its path/],
    ['stays where it is', 'https://host/a/.', /"." in its path/],
    ['climbs out in disguise', 'https://host/a/%2e%2e/b', /not plain/],
    ['has a blank', 'https://host/a/b c', /blank or a control character/],
    ['has a blank behind', 'https://host/a/b ', /blank or a control character/],
    ['has a line break', 'https://host/a/b\n', /blank or a control character/],
    ['has a NUL', 'https://host/a/b\0', /blank or a control character/],
    ['has an invisible character', 'https://host/a/b\u200b', /blank or a control character/],
    ['has a query', 'https://host/a/b?x=1', /not plain/],
    ['has a backslash', 'https://host/a\\b/c', /not plain/],
    ['has shell characters', 'https://host/a/$(id)', /not plain/],
    ['has an empty part', 'https://host/a//b', /empty part/],
    ['has no path', 'https://host', /empty part/],
    ['has no host', 'https:///a/b', /no proper host/],
    ['has a strange host', 'https://ho_st!/a/b', /no proper host/],
    ['has a strange port', 'https://host:x/a/b', /port/],
    ['is a file address with a host', 'file://host/a/b', /with a host in it/],
    ['has a project that is hidden', 'https://host/a/.config', /project name/],
    ['has nothing but .git for a project', 'https://host/a/.git', /project name/],
    ['has a project with other characters', 'https://host/a/b~c', /project name/],
    ['is a drive', 'c:/a/b', /neither a URL/],
    ['is endless', `https://host/${'a/'.repeat(1000)}b`, /longer than 1024/],
    ['has an endless project', `https://host/a/${'b'.repeat(200)}`, /more than 100/],
  ];
  for (const [what, text, reason] of bad) {
    it(what, () => {
      assert.throws(() => resolveRepository(text, '', ALL), reason);
      assert.throws(() => resolveRepository(text, TEMPLATE, ALL), reason);
    });
  }

  it('carries a password, which the error does not repeat', () => {
    assert.throws(
      () => resolveRepository('https://me:secret@host/a/b', '', ALL),
      (error: Error) => /carries a password/.test(error.message) && !error.message.includes('secret'),
    );
  });
});

describe('the allowed protocols', () => {
  const rule = (template: string, registryAddress: string) => [
    ...allowedProtocols({ protocols: ['https'], template, registryAddress }),
  ];

  it('are those of the configuration', () => {
    assert.deepEqual(rule('', 'https://registry.example'), ['https']);
  });
  it('include that of the operator’s template', () => {
    assert.deepEqual(rule('http://git.example.com/%s', 'https://registry.example'), ['https', 'http']);
    assert.deepEqual(rule('git@git.example.com:%s.git', 'https://registry.example'), ['https', 'ssh']);
    assert.deepEqual(rule('/srv/git/%s', 'https://registry.example'), ['https', 'file']);
  });
  it('include file where the registry is a document', () => {
    assert.deepEqual(rule('', 'file:registry.json'), ['https', 'file']);
  });
});

describe('two texts for a repository', () => {
  it('are the same with and without .git', () => {
    assert.ok(sameRepository('git@h:a/b.git', 'git@h:a/b'));
    assert.ok(sameRepository('https://h/a/b/', 'https://h/a/b.git'));
    assert.ok(!sameRepository('git@h:a/b', 'git@h:a/c'));
    assert.ok(!sameRepository('git@h:a/b', 'https://h/a/b'));
  });
});

describe('an address just before it is cloned from', () => {
  it('is taken in every form, by its protocol', () => {
    const forms: readonly (readonly [string, string])[] = [
      ['https://git.example.org/group/check.git', 'https'],
      ['https://user:pass@git.example.org/check.git', 'https'],
      ['http://git.example.org/check.git', 'http'],
      ['git@git.example.org:group/check.git', 'ssh'],
      ['ssh://git@git.example.org:2222/group/check.git', 'ssh'],
      ['git://git.example.org/check.git', 'git'],
      ['file:///srv/git/check.git', 'file'],
      ['/srv/git/check.git', 'file'],
    ];
    for (const [address, protocol] of forms) {
      assert.equal(addressProblem(address, [protocol]), undefined, address);
      const others = GIT_PROTOCOLS.filter((name) => name !== protocol);
      assert.match(
        addressProblem(address, others) ?? '',
        new RegExp(`is reached by ${protocol}, which .* does not allow`),
        address,
      );
    }
  });

  it('is refused when git or ssh could take it for something else', () => {
    const wrong = [
      '',
      ' ',
      '--upload-pack=x',
      '-u',
      'ext::sh',
      'transport::address',
      'a b',
      'x\ny',
      'x\u0000',
      './here',
      '../up',
      'group/check',
      'ssh://-oProxyCommand=x/y',
      'ssh://-o@host/y',
      '-oX@host:y',
      'user@-oX:y',
      'ftp://host/x',
      'HTTPS://git.example.org/group/check',
      'git+ssh://git@git.example.org/check.git',
      'git.example.org:check.git',
      'x'.repeat(5000),
      ':path',
      '://',
    ];
    for (const address of wrong)
      assert.ok(addressProblem(address, GIT_PROTOCOLS) !== undefined, JSON.stringify(address));
  });
});

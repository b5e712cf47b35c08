import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hideCredentials, withoutCredentials } from '../../src/supervisor/log/credentials.js';

describe('an address', () => {
  it('is shown without what could be a secret', () => {
    const shown: readonly (readonly [string, string])[] = [
      ['https://user:pass@host/x.git', 'https://host/x.git'],
      ['https://token@host:8443/x.git?private_token=abc#y', 'https://host:8443/x.git'],
      ['https://user:p@ss@host/x.git', 'https://host/x.git'],
      ['ssh://git:pass@host/x.git', 'ssh://git@host/x.git'],
      ['git@host:x.git', 'git@host:x.git'],
      ['file:///srv/x?y', 'file:///srv/x?y'],
      ['https://me:secret@host/a/b', 'https://host/a/b'],
      ['https://host/a/b@c', 'https://host/a/b@c'],
      ['https://host/a/b?token=secret', 'https://host/a/b'],
      ['https://host?token=secret', 'https://host'],
      ['/a/b?token=secret', '/a/b'],
      ['me:secret@host:a/b', 'host:a/b'],
    ];
    for (const [address, expected] of shown) assert.equal(withoutCredentials(address), expected);
  });

  it('has its secrets taken out of what git says, as written and decoded', () => {
    const address = 'https://robot:open%20sesame@host/x.git?key=abcdef';
    const said = `fatal: unable to access '${address}/': wrong password open sesame, open%20sesame; see https://a:b@other/ or ssh://git:x@host`;
    const shown = hideCredentials(said, address);
    assert.doesNotMatch(shown, /sesame|abcdef|a:b@|git:x/);
    assert.match(shown, /^fatal: unable to access 'https:\/\/host\/x\.git/);
    assert.match(shown, /ssh:\/\/git@host$/);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gitEnvironment } from '../../src/supervisor/plugin-store/git-environment.js';

describe('environment of git', () => {
  it('holds what git needs of the agent and nothing that leads it elsewhere', () => {
    const agent = {
      PATH: '/bin',
      HOME: '/root',
      https_proxy: 'p',
      SSH_AUTH_SOCK: 's',
      GIT_DIR: 'x',
      GIT_CONFIG_COUNT: '1',
      GIT_ASKPASS: 'x',
      SSH_ASKPASS: 'x',
      DISPLAY: ':0',
      GIT_ALLOW_PROTOCOL: 'ext',
      AGENT_OUTPUT_AUTH: 'secret',
      LC_ALL: 'de_DE.UTF-8',
      LANGUAGE: 'de',
    };
    assert.deepEqual(gitEnvironment(agent, ['https', 'ssh']), {
      PATH: '/bin',
      HOME: '/root',
      https_proxy: 'p',
      SSH_AUTH_SOCK: 's',
      GIT_ALLOW_PROTOCOL: 'https:ssh',
      GIT_ASKPASS: '',
      GIT_OPTIONAL_LOCKS: '0',
      GIT_SSH_COMMAND: 'ssh -o BatchMode=yes',
      GIT_TERMINAL_PROMPT: '0',
      LC_ALL: 'C',
      SSH_ASKPASS_REQUIRE: 'never',
    });
  });

  it("leaves an ssh command of the operator's as it is", () => {
    assert.equal(gitEnvironment({ GIT_SSH_COMMAND: 'ssh -i key' }, []).GIT_SSH_COMMAND, 'ssh -i key');
    assert.equal(gitEnvironment({ GIT_SSH: '/opt/ssh' }, []).GIT_SSH_COMMAND, undefined);
  });
});

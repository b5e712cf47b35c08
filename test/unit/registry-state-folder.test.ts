import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { StateFolder } from '../../src/supervisor/state/state-folder.js';
import { recordingLog } from '../support/recording-log.js';
import { temporaryFolder } from '../support/temporary-folder.js';

function numberOf(value: unknown): number {
  if (typeof value !== 'number') throw new Error('it is no number');
  return value;
}

describe('the state folder', () => {
  it('is made with its first file, and both are for the owner alone', async (t) => {
    const path = join(temporaryFolder(t), 'a', 'state');
    const state = new StateFolder(path, recordingLog().log);
    await state.write('x.json', 7);
    assert.equal(statSync(path).mode & 0o777, 0o700);
    assert.equal(statSync(join(path, 'x.json')).mode & 0o777, 0o600);
    assert.equal(await state.read('x.json', numberOf), 7);
    assert.deepEqual(readdirSync(path), ['x.json']);
  });

  it('gives nothing for a file that is not there, without a word', async (t) => {
    const { log, lines } = recordingLog();
    assert.equal(
      await new StateFolder(join(temporaryFolder(t), 'no'), log).read('x.json', numberOf),
      undefined,
    );
    assert.deepEqual(lines, []);
  });

  for (const [what, content] of [
    ['cut', '{"a":'],
    ['empty', ''],
    ['of another form', '"seven"'],
  ] as const) {
    it(`sets a file aside that is ${what}, and says so`, async (t) => {
      const path = temporaryFolder(t);
      const { log, lines } = recordingLog();
      writeFileSync(join(path, 'x.json'), content);
      const state = new StateFolder(path, log);
      assert.equal(await state.read('x.json', numberOf), undefined);
      assert.ok(!existsSync(join(path, 'x.json')));
      assert.equal(readFileSync(join(path, 'x.json.damaged'), 'utf8'), content);
      assert.match(lines[0]?.message ?? '', /x\.json is damaged .* set aside/);
      await state.write('x.json', 8);
      assert.equal(await state.read('x.json', numberOf), 8);
    });
  }

  it('has what was written last, when several write at the same time', async (t) => {
    const state = new StateFolder(temporaryFolder(t), recordingLog().log);
    for (let round = 0; round < 100; round += 1) {
      await Promise.all([state.write('x.json', -1), state.write('x.json', round)]);
      assert.equal(await state.read('x.json', numberOf), round);
    }
  });

  it('keeps the old content when the new cannot be written, and names the file', async (t) => {
    const path = temporaryFolder(t);
    writeFileSync(join(path, 'file'), '');
    const state = new StateFolder(join(path, 'file'), recordingLog().log);
    await assert.rejects(state.write('x.json', 1), {
      code: 'state',
      message: /cannot write the state file .*x\.json/,
    });
  });

  it('removes what was left behind of a write, and nothing else', async (t) => {
    const path = temporaryFolder(t);
    for (const name of ['x.json', 'x.json.12345', 'x.json.damaged', 'y.json.12345']) {
      writeFileSync(join(path, name), '1');
    }
    await new StateFolder(path, recordingLog().log).removeLeftovers('x.json');
    assert.deepEqual(readdirSync(path).sort(), ['x.json', 'x.json.damaged', 'y.json.12345']);
  });
});

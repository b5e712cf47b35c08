/** A process that tries to claim the run folder of its argument, says how that went, and stays until its input ends. */
import { codeOf } from '../../src/shared/coded-error.js';
import { RunFolder } from '../../src/supervisor/lifecycle/run-folder.js';
import { ownRunRecord } from './run-record.js';

const [, , path = ''] = process.argv;

try {
  RunFolder.claim(path, ownRunRecord());
  console.log('claimed');
} catch (error) {
  console.log(codeOf(error) ?? error);
}
process.stdin.resume();

/** A process with the feed of a Golang output plugin; prints the pid of the host and stays. */

import { GoOutput } from '../../src/workers/publisher/outputs/go/go-output.js';
import { OutputHosts } from '../../src/workers/publisher/outputs/go/output-hosts.js';
import { goSettings } from './go-feed.js';
import { recordingLog } from './recording-log.js';
import { waitUntil } from './wait-until.js';

const [, , library = ''] = process.argv;
const { log } = recordingLog();
const settings = { ...goSettings('orphan'), library, hostEnvironment: { GOGC: '400' } };
const output = new GoOutput('orphan', settings, new OutputHosts(log), log);
await waitUntil('it is up', () => output.state().isUp);
console.log(output.state().plugin?.pid);
setInterval(() => undefined, 60_000);

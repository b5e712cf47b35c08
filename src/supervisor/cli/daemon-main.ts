/**
 * Entry point of the agent in the background. `agent start --daemon` starts it, with `-f` and the absolute path of the
 * configuration, perhaps `-c` and that of Golang output plugins, and waits for one message that says how it went.
 */
import { codeOf, reasonOf } from '../../shared/coded-error.js';
import { readOutputsFile } from '../config/fluent-bit/outputs-file.js';
import { loadConfig } from '../config/load-config.js';
import { prepareConfig } from '../lifecycle/prepared-config.js';
import type { DaemonMessage } from './daemon-messages.js';
import { exitCodeOf } from './exit-code.js';
import { endProcess } from './process-end.js';
import { runAgent } from './run-agent.js';

const [, , , file = '', , outputs] = process.argv;

try {
  const loaded = loadConfig(file, process.env);
  const outputsFile = outputs === undefined ? undefined : readOutputsFile(outputs, process.env);
  const prepared = await prepareConfig(loaded, outputsFile, process.env);
  // Keeps no file system busy. Paths of the configuration are absolute by now.
  process.chdir('/');
  const exitCode = await runAgent(prepared, {
    foreground: false,
    onReady: (running) => tellStarter({ type: 'up', ...running }),
  });
  endProcess(exitCode);
} catch (error) {
  await tellStarter({ type: 'failed', message: reasonOf(error), code: codeOf(error) ?? 'failed' });
  endProcess(exitCodeOf(error));
}

/** Sends the one message, then lets go of the starter, which may be gone already. */
function tellStarter(message: DaemonMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) {
      resolve();
      return;
    }
    process.send(message, () => {
      if (process.connected) process.disconnect();
      resolve();
    });
  });
}

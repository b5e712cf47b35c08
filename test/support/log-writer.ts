/** A process that logs without end: log-writer.js FOLDER [foreground] [fast] */
import { AgentLog } from '../../src/supervisor/log/agent-log.js';

const [folder = '', ...words] = process.argv.slice(2);
const isFast = words.includes('fast');
const log = new AgentLog({
  folder,
  level: 'info',
  rotateSize: 500_000,
  rotateCount: 2,
  foreground: words.includes('foreground'),
  color: false,
  retryBaseMs: 20,
  retryCapMs: 40,
});
setInterval(() => {
  for (let count = 0; count < (isFast ? 50 : 1); count++) log.info({ padding: 'x'.repeat(200) }, 'a line');
}, 5);

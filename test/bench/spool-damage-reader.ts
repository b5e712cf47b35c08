/** Opens a candidate whose file was damaged, and says what can be read. The process may not survive it. */
import { type CandidateName, EXAMPLE, openCandidate } from './spool-candidates.js';

const [name = 'spool', folder = ''] = process.argv.slice(2);
const candidate = await openCandidate(name as CandidateName, folder, false);
let altered = 0;
const count = await candidate.drain((document) => {
  if (!document.equals(EXAMPLE)) altered += 1;
});
process.stdout.write(`${count} are read, ${altered} of them altered`);
await candidate.close();

/** A runner worker on a machine without a koffi that works. */
import './without-koffi.js';

export { default } from '../../src/workers/runner/worker.js';

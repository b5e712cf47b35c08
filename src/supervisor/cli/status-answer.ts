import { request } from 'node:http';
import { CodedError, reasonOf } from '../../shared/coded-error.js';
import type { RunRecord } from '../lifecycle/run-record.js';

const ANSWER_TIMEOUT_MS = 10_000;
const ANSWER_MAX_BYTES = 8 * 1024 * 1024;

/**
 * Asks a running agent over its unix socket for `/me/status`; resolves to the JSON text.
 * @throws CodedError `no-answer`
 */
export async function askStatus({ pid, socketPath }: RunRecord): Promise<string> {
  if (socketPath === undefined) {
    throw new CodedError('no-answer', `the agent with pid ${pid} is still starting, ask again in a moment`);
  }
  try {
    const text = await get(socketPath, '/me/status');
    JSON.parse(text);
    return text;
  } catch (error) {
    throw new CodedError(
      'no-answer',
      `the agent runs with pid ${pid}, but does not answer on ${socketPath}: ${reasonOf(error)}`,
      { cause: error },
    );
  }
}

function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const call = request({ socketPath, path, signal }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > ANSWER_MAX_BYTES) call.destroy(new Error('its answer has no end'));
      });
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`HTTP status ${response.statusCode}: ${text.slice(0, 200)}`));
      });
    });
    call.on('error', (error) => {
      reject(signal.aborted ? new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`) : error);
    });
    call.end();
  });
}

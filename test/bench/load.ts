import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { LoadResult } from './post-load.js';

/** What the load generator does: so many metrics a post, over so many connections, for so long. */
export interface Load {
  readonly port: number;
  readonly connections: number;
  readonly metrics: number;
  readonly seconds: number;
}

/** Runs the load generator in a process of its own. */
export async function runLoad({ port, connections, metrics, seconds }: Load): Promise<LoadResult> {
  const script = fileURLToPath(new URL('post-load.js', import.meta.url));
  const args = [script, port, connections, metrics, seconds].map(String);
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await new Promise((resolve) => child.once('close', resolve));
  return JSON.parse(text);
}

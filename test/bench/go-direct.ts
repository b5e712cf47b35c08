/**
 * A process that loads the library itself and brings documents to it without a socket; prints events a second.
 * Arguments: library, mode, file with a document, how often it stands in a chunk, events of a chunk, seconds.
 */
import { readFileSync } from 'node:fs';
import { EventEncoder } from '../../src/workers/output-host/event-encoder.js';
import { HostApi } from '../../src/workers/output-host/host-api.js';
import { PluginInstance } from '../../src/workers/output-host/plugin-instance.js';
import { loadPluginLibrary, prepareCalls } from '../../src/workers/output-host/plugin-library.js';
import { newDefinition } from '../../src/workers/output-host/plugin-memory.js';

const [, , path = '', mode = '', file = '', times = '', events = '', seconds = ''] = process.argv;
const documents = Array.from({ length: Number(times) }, () => readFileSync(file));
const lengths = documents.map(({ length }) => length);
const body = Buffer.concat(documents);
const perFlush = Number(events);

prepareCalls();
const library = await loadPluginLibrary(path);
await library.register(newDefinition());
let flushed = 0;
let begun = 0;
const instance = new PluginInstance(
  { type: 'init', instance: 1, properties: [['mode', mode]], reservedKeys: [], workers: 1 },
  {
    library,
    pluginName: 'direct',
    api: new HostApi(() => undefined),
    encoder: new EventEncoder(),
    send: (message) => message.type === 'flushed' && next(),
  },
);
await instance.init();

// Two at a time, as a publisher sends them.
begun = performance.now();
const before = process.cpuUsage();
flush();
flush();

function next(): void {
  flushed += perFlush;
  const tookMs = performance.now() - begun;
  if (tookMs < Number(seconds) * 1000) {
    flush();
    return;
  }
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(
    `${Math.round((flushed / tookMs) * 1000)} ${((user + system) / flushed).toFixed(3)}\n`,
    () => process.kill(process.pid, 'SIGKILL'),
  );
}

function flush(): void {
  instance.flush(
    {
      type: 'flush',
      instance: 1,
      chunk: 1,
      tag: 'bench',
      namespace: 'bench.shop',
      format: 'nested',
      documents: lengths,
      skip: 0,
    },
    body,
  );
}

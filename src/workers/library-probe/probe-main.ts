/**
 * Entry point of a throw-away process: loads the library that is named as its argument, has it register, and sends one
 * message that says how that went. Whatever the library does to its process, it does to this one alone.
 */
import koffi, { type LibraryHandle } from 'koffi';
import { reasonOf } from '../../shared/coded-error.js';
import type { ProbeMessage } from '../../shared/library-registration.js';

/** Bytes of `struct flb_plugin_proxy_def`, and room for what later versions add to it. */
const DEFINITION_BYTES = 512;

const KOFFI_PREFIX = /^Failed to load shared library: /;

const OUTPUT_TYPE = 2;
const GOLANG_PROXY = 11;

const TEXT_LENGTH_MAX = 1000;

const [, , library = ''] = process.argv;

endWithParent();
process.send?.(probe(library), () => {
  // The library's own threads, and what it registered for the end, must not delay it.
  process.kill(process.pid, 'SIGKILL');
});

function probe(path: string): ProbeMessage {
  try {
    return register(koffi.load(path));
  } catch (thrown) {
    return {
      kind: 'refused',
      sentence: `it cannot be loaded: ${reasonOf(thrown).replace(KOFFI_PREFIX, '')}`,
    };
  }
}

function register(library: LibraryHandle): ProbeMessage {
  const preRegister = functionOf(library, 'FLBPluginPreRegister', ['int']);
  const registerPlugin = functionOf(library, 'FLBPluginRegister', ['void *']);
  if (registerPlugin === undefined) return refused('it does not export FLBPluginRegister');
  if (preRegister !== undefined && preRegister(0) === -1) return refused('FLBPluginPreRegister refuses (-1)');
  const definition = Buffer.alloc(DEFINITION_BYTES);
  if (registerPlugin(definition) === -1) return refused('FLBPluginRegister reports a failure (-1)');
  const type = definition.readInt32LE(0);
  const proxy = definition.readInt32LE(4);
  if (type !== OUTPUT_TYPE)
    return refused(`it registers a plugin of type ${type}, an output has ${OUTPUT_TYPE}`);
  if (proxy !== GOLANG_PROXY) {
    return refused(`it registers a plugin of language ${proxy}, Golang has ${GOLANG_PROXY}`);
  }
  const name = textAt(definition, 16);
  if (name === '') return refused('it registers no name');
  const description = textAt(definition, 24);
  return { kind: 'registered', name, description, eventType: definition.readInt32LE(32) };
}

function refused(sentence: string): ProbeMessage {
  return { kind: 'refused', sentence };
}

function functionOf(
  library: LibraryHandle,
  name: string,
  parameters: readonly string[],
): ((...values: unknown[]) => unknown) | undefined {
  try {
    return library.func(name, 'int', [...parameters]);
  } catch {
    return undefined;
  }
}

/** The text that a pointer at an offset leads to; empty for NULL. */
function textAt(definition: Buffer, offset: number): string {
  if (definition.readBigUInt64LE(offset) === 0n) return '';
  const text: unknown = koffi.decode(definition, offset, 'char *');
  return typeof text === 'string' ? text.slice(0, TEXT_LENGTH_MAX) : '';
}

/** Nobody would end this process when the library hangs and whoever asked is gone. */
function endWithParent(): void {
  if (process.platform !== 'linux') return;
  const setDeathSignal = 1;
  const sigkill = 9;
  const prctl = koffi.load(null).func('int prctl(int, ulong, ulong, ulong, ulong)');
  prctl(setDeathSignal, sigkill, 0, 0, 0);
}

import koffi from 'koffi';
import { reasonOf } from '../../shared/coded-error.js';
import { elfProblem } from './elf-header.js';
import { forgetThreads } from './go-threads.js';
import type { Address } from './plugin-memory.js';

/** A call into the library, on a thread of its own: this one goes on meanwhile. */
type Call<Arguments extends readonly unknown[]> = (...args: Arguments) => Promise<number>;

type FlushArguments = readonly [data: Buffer, length: number, tag: string];

/** What a loaded library offers; undefined where it may leave something out and does. */
export interface PluginLibrary {
  readonly preRegister: Call<[number]> | undefined;
  readonly register: Call<[Address]>;
  readonly init: Call<[Address]>;
  readonly preRun: Call<[number]> | undefined;
  /** The form with context wins where there are both. */
  readonly flush: (context: number | bigint, ...args: FlushArguments) => Promise<number>;
  readonly preExit: Call<[number]> | undefined;
  readonly exitInstance: Call<[number | bigint]> | undefined;
  /** Only where there is no `exitInstance`. */
  readonly exit: Call<[]> | undefined;
  readonly unregister: Call<[Address]> | undefined;
}

/**
 * Koffi does not call on the stack of the thread but on one of its own, taken from a pool. Go can live with that (Fluent
 * Bit calls on the stacks of coroutines): it does not find the stack pointer within the bounds of the thread, so it takes
 * 32 KB below it for its runtime (`callbackUpdateSystemStack`, anew with each call), twice what the runtime has where it
 * makes threads itself; goroutines have stacks apart, and C that a plugin calls may go as deep as there is memory, and
 * back to Go from there. For what a thread remembers of earlier calls see `forgetThreads`.
 */
const CALLS = {
  /** As threads have it, for C libraries that plugins call. Bytes; what is not used costs nothing. */
  async_stack_size: 8 * 1024 * 1024,
  /** Stacks that are kept, as many as koffi lets; those of more calls at once are made and given back each time. */
  resident_async_pools: 32,
  /** Koffi throws when it has more; an instance has at most as many as it has workers. */
  max_async_calls: 4096,
};

/** Call before anything is loaded. */
export function prepareCalls(): void {
  koffi.config(CALLS);
}

/**
 * Loads a shared object into this process, for good; a Go runtime is up when it comes back.
 * @throws Error with a sentence for an operator
 */
export async function loadPluginLibrary(path: string): Promise<PluginLibrary> {
  const library = open(path);
  const find = (name: string, result: string, types: readonly string[]) => bind(library, name, result, types);
  const flushCtx = find('FLBPluginFlushCtx', 'int', ['uintptr_t', 'const void *', 'int', 'const char *']);
  const flush = find('FLBPluginFlush', 'int', ['const void *', 'int', 'const char *']);
  const register = find('FLBPluginRegister', 'int', ['void *']);
  const init = find('FLBPluginInit', 'int', ['void *']);
  const missing = [
    ...(register ? [] : ['FLBPluginRegister']),
    ...(init ? [] : ['FLBPluginInit']),
    ...(flushCtx || flush ? [] : ['FLBPluginFlushCtx or FLBPluginFlush']),
  ];
  if (!register || !init || missing.length > 0) {
    throw new Error(`it does not export ${missing.join(' and ')}, so it is no Golang output plugin`);
  }
  await forgetThreads(library);
  const exitInstance = find('FLBPluginExitCtx', 'int', ['uintptr_t']);
  return {
    preRegister: find('FLBPluginPreRegister', 'int', ['int']),
    register,
    init,
    preRun: find('FLBPluginOutputPreRun', 'int', ['int']),
    flush: flushCtx ?? (async (_context, ...args) => flush?.(...args) ?? 0),
    preExit: find('FLBPluginOutputPreExit', 'void', ['int']),
    exitInstance,
    exit: exitInstance ? undefined : find('FLBPluginExit', 'int', []),
    unregister: find('FLBPluginUnregister', 'void', ['void *']),
  };
}

type Library = ReturnType<typeof koffi.load>;

function open(path: string): Library {
  try {
    const problem = elfProblem(path);
    if (problem !== undefined) throw new Error(problem);
    return koffi.load(path);
  } catch (thrown) {
    throw new Error(`it cannot be loaded: ${reasonOf(thrown)}`);
  }
}

/** Undefined when the library has no such symbol. */
function bind(
  library: Library,
  name: string,
  result: string,
  types: readonly string[],
): ((...args: readonly unknown[]) => Promise<number>) | undefined {
  let call: ReturnType<Library['func']>;
  try {
    call = library.func(name, result, [...types]);
  } catch {
    return undefined;
  }
  return (...args) =>
    new Promise((resolve, reject) => {
      call.async(...args, (error: unknown, answer: number) => (error ? reject(error) : resolve(answer)));
    });
}

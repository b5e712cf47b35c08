import koffi from 'koffi';

/** An address in this process, as C has it. */
export type Address = bigint;

/** Layout of what the plugin is given, for 64-bit Linux; sizes have room for fields of newer versions. Bytes. */
const DEFINITION_BYTES = 512;
const API_BYTES = 512;
const PLUGIN_BYTES = 512;
const CONTEXT_BYTES = 128;
const POINTER_BYTES = 8;

const DEFINITION = koffi.struct({
  type: 'int',
  proxy: 'int',
  flags: 'int',
  name: 'char *',
  description: 'char *',
  event_type: 'int',
});

/** What a plugin says of itself when it registers. */
export interface PluginDefinition {
  readonly type: number;
  readonly proxy: number;
  readonly name: string | null;
  readonly description: string | null;
  readonly event_type: number;
}

/** Memory for a definition, all zero. Like all memory here it stays for good, as nobody knows what a plugin keeps. */
export function newDefinition(): Address {
  return zeroed(DEFINITION_BYTES);
}

/** What stands in a definition. */
export function readDefinition(definition: Address): PluginDefinition {
  return koffi.decode(definition, DEFINITION) as PluginDefinition;
}

/** The table of calls that the host offers; `calls` in their order. */
export function newApi(calls: readonly Address[]): Address {
  const api = zeroed(API_BYTES);
  for (const [place, call] of calls.entries()) koffi.encode(api, place * POINTER_BYTES, 'void *', call);
  return api;
}

/** What an instance is initialised with, and where it leaves its context. */
export interface InstanceMemory {
  readonly plugin: Address;
  /** Names the instance when the plugin asks for a property. */
  readonly handle: Address;
  readonly context: Address;
}

/** Memory of an instance of the plugin of this name. */
export function newInstanceMemory(name: string, api: Address): InstanceMemory {
  const plugin = zeroed(PLUGIN_BYTES);
  const handle = zeroed(CONTEXT_BYTES);
  const context = zeroed(CONTEXT_BYTES);
  const fields = [cString(name), api, handle, context];
  for (const [place, field] of fields.entries()) koffi.encode(plugin, place * POINTER_BYTES, 'void *', field);
  return { plugin, handle, context };
}

/** The context that the plugin has set; 0 when it has set none. */
export function readContext({ context }: InstanceMemory): number | bigint {
  return koffi.decode(context, 'uintptr_t') as number | bigint;
}

/** Text at an address, up to its NUL. */
export function readText(address: Address): string {
  return koffi.decode(address, 'char', -1) as string;
}

/** A copy of the text that stays where it is for good. */
export function cString(text: string): Address {
  const bytes = Buffer.from(`${text}\0`);
  const address = koffi.alloc('uint8_t', bytes.length) as Address;
  new Uint8Array(koffi.view(address, bytes.length)).set(bytes);
  return address;
}

function zeroed(bytes: number): Address {
  const address = koffi.alloc('uint8_t', bytes) as Address;
  new Uint8Array(koffi.view(address, bytes)).fill(0);
  return address;
}

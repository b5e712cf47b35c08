import koffi from 'koffi';
import type { LogLevel } from '../../shared/log.js';
import { type Address, cString, newApi, readText } from './plugin-memory.js';

/** The properties of an instance, as the plugin may ask for them. */
export interface PluginProperties {
  readonly properties: readonly (readonly [key: string, value: string])[];
  /** In lower case. */
  readonly reservedKeys: readonly string[];
  /** Called once for each reserved key that the plugin asks for. */
  readonly onReserved: (key: string) => void;
}

const GET_PROPERTY = koffi.proto('void *(void *key, void *instance)');
/** The arguments behind the format are there on 64-bit Linux wherever the caller passes any; one is looked at. */
const LOG_PRINT = koffi.proto('void (int level, void *file, int line, void *format, void *argument)');
const LOG_CHECK = koffi.proto('int (void *instance, int level)');

/** Fluent Bit's levels: 1 error, 2 warning, 3 info, 4 debug, 5 trace. */
const LEVELS: readonly LogLevel[] = ['info', 'error', 'warn', 'info', 'debug', 'debug'];
const LEVEL_MOST = 3;

/**
 * The calls that plugins make: for properties, and those of newer plugins for the log. They may come from any thread of
 * the library; koffi brings them to this one, which never waits in a call of the library's, so that none can hang here.
 */
export class HostApi {
  readonly address: Address;
  readonly #instances = new Map<Address, Map<string, Address | undefined>>();
  readonly #reserved = new Map<Address, PluginProperties>();
  readonly #onSaid: (level: LogLevel, text: string) => void;

  constructor(onSaid: (level: LogLevel, text: string) => void) {
    this.#onSaid = onSaid;
    const getProperty = register(
      (key: Address | null, instance: Address | null) => this.#property(key, instance),
      GET_PROPERTY,
    );
    const nothing = register(() => null, GET_PROPERTY);
    const print = register(
      (
        level: number,
        _file: Address | null,
        _line: number,
        format: Address | null,
        argument: Address | null,
      ) => this.#print(level, format, argument),
      LOG_PRINT,
    );
    const check = register(
      (_instance: Address | null, level: number) => (level <= LEVEL_MOST ? 1 : 0),
      LOG_CHECK,
    );
    // In the order of Fluent Bit: properties of output and input, metrics of both, log, and the same for custom plugins.
    this.address = newApi([getProperty, nothing, nothing, nothing, print, check, check, nothing, check]);
  }

  /** From now on the instance of this handle has properties. The first of two of the same key counts. */
  addInstance(handle: Address, properties: PluginProperties): void {
    const values = new Map<string, Address | undefined>();
    for (const [key, value] of properties.properties) {
      const name = key.toLowerCase();
      if (!values.has(name)) values.set(name, cString(value));
    }
    for (const key of properties.reservedKeys) values.set(key.toLowerCase(), undefined);
    this.#instances.set(handle, values);
    this.#reserved.set(handle, properties);
  }

  #property(key: Address | null, instance: Address | null): Address | null {
    if (key === null || instance === null) return null;
    const name = readText(key).toLowerCase();
    const values = this.#instances.get(instance);
    const value = values?.get(name);
    if (value === undefined && values?.has(name)) {
      values.delete(name);
      this.#reserved.get(instance)?.onReserved(name);
    }
    return value ?? null;
  }

  #print(level: number, format: Address | null, argument: Address | null): void {
    if (format === null) return;
    const text = readText(format);
    const said = text === '%s' && argument !== null ? readText(argument) : text;
    this.#onSaid(LEVELS[level] ?? 'info', said);
  }
}

function register(call: (...args: never[]) => unknown, type: ReturnType<typeof koffi.proto>): Address {
  return koffi.register(call, koffi.pointer(type));
}

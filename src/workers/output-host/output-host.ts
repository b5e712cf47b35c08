import { reasonOf } from '../../shared/coded-error.js';
import type { FromOutputHost, InitRequest, ToOutputHost } from '../../shared/output-host/messages.js';
import { EventEncoder } from './event-encoder.js';
import { HostApi } from './host-api.js';
import { PluginInstance } from './plugin-instance.js';
import { loadPluginLibrary, type PluginLibrary } from './plugin-library.js';
import { type Address, newDefinition, type PluginDefinition, readDefinition } from './plugin-memory.js';

/** What a definition says of its kind. */
const OUTPUT_PLUGIN = 2;
const GOLANG_PROXY = 11;
const LOGS_MOST = 1;

/** A library that is loaded and registered. */
interface Registered {
  readonly library: PluginLibrary;
  readonly definition: Address;
  readonly name: string;
}

/** The life cycle of a library and its instances. */
export class OutputHost {
  readonly #send: (message: FromOutputHost) => void;
  readonly #api: HostApi;
  readonly #encoder = new EventEncoder();
  readonly #instances = new Map<number, PluginInstance>();
  #registered: Registered | undefined;
  #hasRun = false;

  constructor(send: (message: FromOutputHost) => void) {
    this.#send = send;
    this.#api = new HostApi((level, text) => send({ type: 'said', level, text }));
  }

  /** Does what the publisher asks. True: this was the end. */
  async take(message: ToOutputHost, body: Buffer): Promise<boolean> {
    switch (message.type) {
      case 'load':
        await this.#load(message.library);
        break;
      case 'init':
        await this.#init(message);
        break;
      case 'flush':
        this.#instances.get(message.instance)?.flush(message, body);
        break;
      case 'close':
        await this.#close();
        return true;
    }
    return false;
  }

  async #load(path: string): Promise<void> {
    try {
      const library = await loadPluginLibrary(path);
      this.#registered = await register(library);
      const { name, description } = readDefinition(this.#registered.definition);
      this.#send({ type: 'loaded', name: name ?? '', description: description ?? '' });
    } catch (thrown) {
      this.#send({ type: 'load-failed', reason: reasonOf(thrown) });
    }
  }

  async #init(request: InitRequest): Promise<void> {
    if (!this.#registered) return;
    const { library, name } = this.#registered;
    const instance = new PluginInstance(request, {
      library,
      pluginName: name,
      api: this.#api,
      encoder: this.#encoder,
      send: this.#send,
    });
    const reason = await initReason(instance);
    if (reason === undefined) {
      await this.#preRun(library);
      this.#instances.set(request.instance, instance);
    }
    this.#send({ type: 'inited', instance: request.instance, reason });
  }

  /** Once, before the first flush. */
  async #preRun(library: PluginLibrary): Promise<void> {
    if (this.#hasRun) return;
    this.#hasRun = true;
    await library.preRun?.(0);
  }

  async #close(): Promise<void> {
    if (!this.#registered) return;
    const { library, definition } = this.#registered;
    await library.preExit?.(0);
    for (const instance of this.#instances.values()) await instance.exit();
    await library.exit?.();
    await library.unregister?.(definition);
  }
}

async function initReason(instance: PluginInstance): Promise<string | undefined> {
  try {
    return await instance.init();
  } catch (thrown) {
    return reasonOf(thrown);
  }
}

async function register(library: PluginLibrary): Promise<Registered> {
  if ((await library.preRegister?.(0)) === -1) {
    throw new Error('it refuses to be registered: FLBPluginPreRegister returned -1');
  }
  const definition = newDefinition();
  if ((await library.register(definition)) === -1) {
    throw new Error('it could not be registered: FLBPluginRegister returned -1');
  }
  const said = readDefinition(definition);
  const problem = definitionProblem(said);
  if (problem !== undefined) throw new Error(problem);
  return { library, definition, name: said.name ?? '' };
}

function definitionProblem({ type, proxy, name, event_type }: PluginDefinition): string | undefined {
  if (type !== OUTPUT_PLUGIN)
    return `it registers a plugin of type ${type}, which is no output (${OUTPUT_PLUGIN})`;
  if (proxy !== GOLANG_PROXY)
    return `it registers for proxy ${proxy}, which is not that of Golang (${GOLANG_PROXY})`;
  if (event_type < 0 || event_type > LOGS_MOST)
    return `it wants events of type ${event_type}, and there are only logs`;
  if (name === null || name === '') return 'it registers without a name';
  return undefined;
}

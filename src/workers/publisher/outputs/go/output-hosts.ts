import type { Log } from '../../../../shared/log.js';
import type { HostClient } from './host-client.js';
import { RESTART_PAUSES, type RestartPauses } from './restart-pauses.js';
import { SharedHost } from './shared-host.js';

/** The place of an instance in the host of its library. */
export interface Seat {
  readonly host: SharedHost;
  readonly instance: number;
}

/** A client that can be given another seat. */
export interface SeatedClient extends HostClient {
  onMoved(seat: Seat): void;
}

/** The output hosts of a publisher: one for each library, and one more for each instance whose init ends the process. */
export class OutputHosts {
  readonly #log: Log;
  readonly #pauses: RestartPauses;
  readonly #hosts = new Map<string, SharedHost>();

  constructor(log: Log, pauses = RESTART_PAUSES) {
    this.#log = log;
    this.#pauses = pauses;
  }

  /** Seats an instance beside the others of its library. */
  seat(client: SeatedClient): Seat {
    const { library } = client.settings;
    const host = this.#hosts.get(library) ?? this.#open(library);
    this.#hosts.set(library, host);
    return { host, instance: host.attach(client) };
  }

  #open(library: string): SharedHost {
    // Only seated clients are attached, so that the one to be moved is one of them.
    const isolate = (client: HostClient) => this.#isolate(client as SeatedClient);
    return new SharedHost({ library, log: this.#log, pauses: this.#pauses, isolate });
  }

  #isolate(client: SeatedClient): void {
    const host = this.#open(client.settings.library);
    client.onMoved({ host, instance: host.attach(client) });
  }
}

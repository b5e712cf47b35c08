import type { LookupdHealth } from './discovery.js';
import type { ServerHealth } from './server-health.js';

/** How a producer stands. */
export interface ProducerStatus {
  /** `host:port` of the server that it is connected to, or tried last. */
  readonly server: string | undefined;
  /**
   * `backing-off`: every server failed a moment ago, the next try comes by itself. `no-server`: no nsqlookupd has
   * listed one yet.
   */
  readonly state: 'connecting' | 'connected' | 'backing-off' | 'no-server' | 'closed';
  /** How the connection is compressed; undefined while there is none. */
  readonly compression: 'none' | 'deflate' | 'snappy' | undefined;
  /** The last thing that went wrong, in a sentence; stays when all is well again. */
  readonly lastError: string | undefined;
  /** Messages that were sent and not answered yet. */
  readonly inFlight: number;
  readonly inFlightBytes: number;
  /** Messages that wait to be sent. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /** Every nsqd that is known, by address. */
  readonly servers: readonly ServerHealth[];
  /** In the order of the option. */
  readonly lookupds: readonly LookupdHealth[];
  /** Since the producer was made. */
  readonly counts: {
    /** Messages that an nsqd acknowledged. */
    readonly published: number;
    /** Messages that an nsqd refused for good. */
    readonly refused: number;
    /** Messages that went back in line after they had been sent; one can be counted several times. */
    readonly sentAgain: number;
    /** Connections that became ready. */
    readonly connections: number;
    /** Connections that failed or never became ready. */
    readonly failures: number;
  };
}

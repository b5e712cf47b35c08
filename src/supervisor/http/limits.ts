/** What a connection and a server may take up. */
export interface ServerLimits {
  /** Until the headers of a request are whole. */
  readonly headersTimeoutMs: number;
  /** Until a request is whole, body and all. */
  readonly requestTimeoutMs: number;
  /** A connection without a request is closed after this. */
  readonly keepAliveTimeoutMs: number;
  /** How often the time-outs are looked after. */
  readonly checkIntervalMs: number;
  /** At once; more are closed as they come. */
  readonly maxConnections: number;
  /** Request line and headers together. */
  readonly maxHeaderBytes: number;
  /** Of a form with an operator's parameters. */
  readonly maxFormBytes: number;
  /** All bodies at once, as a multiple of the longest one. */
  readonly maxBodiesHeld: number;
}

/** The limits of the agent. */
export const SERVER_LIMITS: ServerLimits = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 75_000,
  checkIntervalMs: 2_000,
  maxConnections: 1_024,
  maxHeaderBytes: 16 * 1024,
  maxFormBytes: 64 * 1024,
  maxBodiesHeld: 16,
};

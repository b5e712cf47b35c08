/** How an nsqd did so far. Servers that are not in use are not asked: what is told is from the last time they were. */
export interface ServerHealth {
  /** `host:port`. */
  readonly server: string;
  /** `set`: named in the options, stays. `lookupd`: found, stays while an nsqlookupd lists it or it works. */
  readonly origin: 'set' | 'lookupd';
  /** `idle`: nothing is wrong with it as far as is known, another one is used. `failed`: it is left alone for a while. */
  readonly state: 'idle' | 'connecting' | 'connected' | 'failed';
  /** In a row; 0 as soon as it takes messages. */
  readonly failures: number;
  /** The last thing that went wrong with it, in a sentence; stays when all is well again. */
  readonly lastError: string | undefined;
  /** When the state began, or the last failure happened: unix time in milliseconds. */
  readonly since: number;
}

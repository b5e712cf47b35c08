/**
 * Something worth a line in a log. `message` is a whole sentence that names the server and the way out,
 * and never holds a secret.
 */
export interface ProducerEvent {
  readonly kind: ProducerEventKind;
  /** `host:port` of the nsqd, or of the nsqlookupd for events about one, as it was given. */
  readonly server: string;
  readonly message: string;
}

/** What an event is about. */
export type ProducerEventKind =
  /** A connection is ready to publish on. */
  | 'connected'
  /** A connection that was ready ended; what it left unanswered is sent again. */
  | 'disconnected'
  /** No connection came about: refused, unknown name, time-out, TLS. */
  | 'unreachable'
  /** The server answers in HTTP: its address has the wrong port. */
  | 'http-port'
  /** The server is an nsqlookupd, or another program. */
  | 'not-nsqd'
  /** The server does not let this client in: secret missing or wrong. */
  | 'auth'
  /** The server refused messages for good; their promises are rejected. */
  | 'refused'
  /** The server answered with an error that is not the messages' fault; they are sent again. */
  | 'server-error'
  /** The server does not offer the compression that is asked for: it gets its messages uncompressed. */
  | 'not-compressed'
  /** An nsqlookupd lists a server that was not known: it can be used from now on. */
  | 'server-appeared'
  /** No nsqlookupd lists the server any more. When it is in use it is used until it fails. */
  | 'server-vanished'
  /** An nsqlookupd does not answer as it should; what it listed last stays. Told once until it recovers. */
  | 'lookupd-failed'
  /** An nsqlookupd answers again. */
  | 'lookupd-recovered';

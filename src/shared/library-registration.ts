/** What a Golang output plugin's library says of itself when it is asked to register. */
export interface LibraryRegistration {
  readonly name: string;
  readonly description: string;
  /** 0, 1 = logs, 2 = metrics, 4 = traces. */
  readonly eventType: number;
}

/** What the process that loads a library to ask it tells the one that wants to know, once. */
export type ProbeMessage =
  | ({ readonly kind: 'registered' } & LibraryRegistration)
  /** It loaded, or did not, and is no library that can be used; the sentence says why. */
  | { readonly kind: 'refused'; readonly sentence: string };

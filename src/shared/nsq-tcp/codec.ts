/** How the bytes of a connection are compressed. `level` from 1 (fast) to 9 (small). */
export type CompressionMethod =
  | { readonly kind: 'deflate'; readonly level: number }
  | { readonly kind: 'snappy' };

/** What a codec tells the transport that owns it. Nothing is told after `close()`. */
export interface CodecEvents {
  /** Bytes for the network, in the order in which they were encoded. */
  encoded(bytes: Buffer): void;
  /** Bytes as the server wrote them before it compressed them. Valid during the call. */
  decoded(bytes: Buffer): void;
  /** What came is not what was agreed on; goes on where "nsqd host:port" leaves off. The codec is of no use then. */
  failed(reason: string): void;
}

/** Both directions of a compressed connection. May work in the background: what comes of a call comes in order. */
export interface Codec {
  /** Takes bytes to compress. They need not come out before `flush`, and must stay as they are. */
  encode(bytes: Buffer): void;
  /** Lets everything out that was taken, so that the server can read it whole. */
  flush(): void;
  decode(bytes: Buffer): void;
  /** Calls back when everything given to `decode` so far was told. */
  afterDecoding(callback: () => void): void;
  /** Bytes given to `encode` and not let out yet. */
  readonly unencodedBytes: number;
  /** Bytes given to `decode` and not told yet. */
  readonly undecodedBytes: number;
  close(): void;
}

/** The part of the package that is used here; it brings no types of its own. */
declare module 'snappyjs' {
  /** A raw Snappy block, without framing. */
  export function compress(uncompressed: Buffer): Buffer;
  /** Throws when the block is damaged, or says that it would be larger than `maxLength` bytes. */
  export function uncompress(compressed: Buffer, maxLength: number): Buffer;
}

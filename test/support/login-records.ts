/** A record of wtmp or btmp as glibc writes it on this machine. */
export interface WrittenLogin {
  readonly type: number;
  readonly user: string;
  readonly remote: string;
  readonly device: string;
  readonly seconds: number;
}

const IS_WIDE = process.arch === 'arm64';

/** The bytes of records, one after another. */
export function loginRecords(...records: readonly WrittenLogin[]): Buffer {
  return Buffer.concat(
    records.map(({ type, user, remote, device, seconds }) => {
      const bytes = Buffer.alloc(IS_WIDE ? 400 : 384);
      bytes.writeInt16LE(type, 0);
      bytes.writeInt32LE(4711, 4);
      bytes.write(device, 8, 32, 'utf8');
      bytes.write('ts/0', 40, 4, 'utf8');
      bytes.write(user, 44, 32, 'utf8');
      bytes.write(remote, 76, 256, 'utf8');
      bytes.writeUInt32LE(seconds, IS_WIDE ? 344 : 340);
      return bytes;
    }),
  );
}

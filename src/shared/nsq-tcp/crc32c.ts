/** CRC-32C (RFC 3720, section 12.1), as the framing of Snappy uses it. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  let at = 0;
  // Four bytes at a time: every table holds what a byte does to the sum when it is that many bytes further back.
  for (const end = bytes.length - 3; at < end; at += 4) {
    crc =
      at3(crc ^ byte(bytes, at)) ^
      at2((crc >>> 8) ^ byte(bytes, at + 1)) ^
      at1((crc >>> 16) ^ byte(bytes, at + 2)) ^
      at0((crc >>> 24) ^ byte(bytes, at + 3));
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ at0(crc ^ byte(bytes, at));
  return ~crc >>> 0;
}

/** The form in which Snappy's framing writes the sum: turned right by 15 bits, plus a constant. */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** The polynomial of Castagnoli, lowest bit first. */
const POLYNOMIAL = 0x82f63b78;
const TABLE = new Int32Array(4 * 256);
for (let value = 0; value < 256; value++) {
  let crc = value;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
  TABLE[value] = crc;
}
for (let at = 256; at < TABLE.length; at++) {
  const before = TABLE[at - 256] ?? 0;
  TABLE[at] = (before >>> 8) ^ at0(before);
}

function at0(index: number): number {
  return TABLE[index & 255] ?? 0;
}

function at1(index: number): number {
  return TABLE[256 | (index & 255)] ?? 0;
}

function at2(index: number): number {
  return TABLE[512 | (index & 255)] ?? 0;
}

function at3(index: number): number {
  return TABLE[768 | (index & 255)] ?? 0;
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

/**
 * MurmurHash3 (by Austin Appleby, in the public domain) in the two forms that a gateway uses, with seed 0. No package
 * has the second; the first is short with BigInt, and its 4 µs for a key do not matter compared with a request.
 */

const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;
const BLOCK = 16;

/** The x64 variant of 128 bits, as 32 lower-case hex digits; its first half is the gateway's murmur64. */
export function murmur128(bytes: Uint8Array): string {
  // Zeros after the last byte have no effect: a word of zeros is mixed to zero.
  const blocks = new DataView(new ArrayBuffer(Math.ceil(bytes.length / BLOCK) * BLOCK));
  new Uint8Array(blocks.buffer).set(bytes);
  let [h1, h2] = [0n, 0n];
  for (let at = 0; at < blocks.byteLength; at += BLOCK) {
    const isWhole = at + BLOCK <= bytes.length;
    h1 ^= mix(blocks.getBigUint64(at, true), C1, 31n, C2);
    if (isWhole) h1 = uint64((rotate(h1, 27n) + h2) * 5n + 0x52dce729n);
    h2 ^= mix(blocks.getBigUint64(at + 8, true), C2, 33n, C1);
    if (isWhole) h2 = uint64((rotate(h2, 31n) + h1) * 5n + 0x38495ab5n);
  }
  const length = BigInt(bytes.length);
  [h1, h2] = added(h1 ^ length, h2 ^ length);
  [h1, h2] = added(finish(h1), finish(h2));
  return hex(h1, 16) + hex(h2, 16);
}

/**
 * The gateway's variant of 32 bits, as 8 lower-case hex digits: the running value after the last whole block of four
 * bytes. The one to three bytes after that, and the length, are ignored: texts that differ only there have the same
 * hash.
 */
export function murmur32(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let hash = 0;
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const word = Math.imul(view.getInt32(at, true), 0xcc9e2d51);
    hash ^= Math.imul((word << 15) | (word >>> 17), 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  return hex(hash >>> 0, 8);
}

const uint64 = (value: bigint) => BigInt.asUintN(64, value);
const hex = (value: bigint | number, digits: number) => value.toString(16).padStart(digits, "0");
const rotate = (word: bigint, bits: bigint) => uint64(word << bits) | (word >> (64n - bits));

function mix(word: bigint, first: bigint, bits: bigint, second: bigint): bigint {
  return uint64(rotate(uint64(word * first), bits) * second);
}

function added(h1: bigint, h2: bigint): [bigint, bigint] {
  const sum = uint64(h1 + h2);
  return [sum, uint64(h2 + sum)];
}

function finish(hash: bigint): bigint {
  let word = hash ^ (hash >> 33n);
  word = uint64(word * 0xff51afd7ed558ccdn);
  word ^= word >> 33n;
  word = uint64(word * 0xc4ceb9fe1a85ec53n);
  return word ^ (word >> 33n);
}

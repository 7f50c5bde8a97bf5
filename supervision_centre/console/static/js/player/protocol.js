/** The frames of the live gateway: a header of 24 bytes, big-endian `BBHIqq`, then fragmented MP4. */

/** A frame that holds an init segment. */
export const KIND_INIT = 1;

/** A frame that holds one fragment. */
export const KIND_FRAGMENT = 2;

const HEADER_BYTES = 24;
const VERSION = 1;
const FLAG_KEY = 1n;
const NS_PER_MS = 1_000_000n;

/**
 * Read one binary frame.
 * @param {ArrayBuffer} buffer
 * @returns {{kind: number, tile: number, generation: number, captureMs: number, key: boolean, bytes: Uint8Array}|null}
 *   null for a version that this console does not know, or a frame too short to be one; `captureMs` is the UTC of the
 *   first sample in milliseconds, fraction kept
 */
export function parseFrame(buffer) {
  if (buffer.byteLength <= HEADER_BYTES) return null;
  const data = new DataView(buffer);
  if (data.getUint8(0) !== VERSION) return null;
  const captureNs = data.getBigInt64(8);
  return {
    kind: data.getUint8(1),
    tile: data.getUint16(2),
    generation: data.getUint32(4),
    captureMs: Number(captureNs / NS_PER_MS) + Number(captureNs % NS_PER_MS) / 1e6,
    key: (data.getBigInt64(16) & FLAG_KEY) !== 0n,
    bytes: new Uint8Array(buffer, HEADER_BYTES),
  };
}

/** The frames of the gateway: a header of 24 bytes, big-endian `BBHIqq`, then fragmented MP4. */

import { msOf } from "./instants.js";

/** A frame that holds an init segment. */
export const KIND_INIT = 1;

/** A frame that holds one fragment of a live stream, or one group of pictures of a recording. */
export const KIND_FRAGMENT = 2;

const HEADER_BYTES = 24;
const VERSION = 1;
const FLAG_KEY = 1n;
const REQUEST_SHIFT = 32n;

/**
 * Read one binary frame.
 * @param {ArrayBuffer} buffer
 * @returns {{kind: number, tile: number, generation: number, captureMs: number, key: boolean, request: number,
 *   bytes: Uint8Array}|null} null for a version that this console does not know, or a frame too short to be one; `tile`
 *   is the number of the tile or of the stream, `captureMs` the UTC of the first sample in milliseconds, fraction kept,
 *   `request` what a recording answers
 */
export function parseFrame(buffer) {
  if (buffer.byteLength <= HEADER_BYTES) return null;
  const data = new DataView(buffer);
  if (data.getUint8(0) !== VERSION) return null;
  const flags = data.getBigInt64(16);
  return {
    kind: data.getUint8(1),
    tile: data.getUint16(2),
    generation: data.getUint32(4),
    captureMs: msOf(data.getBigInt64(8)),
    key: (flags & FLAG_KEY) !== 0n,
    request: Number(flags >> REQUEST_SHIFT),
    bytes: new Uint8Array(buffer, HEADER_BYTES),
  };
}

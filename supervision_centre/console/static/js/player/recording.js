/** What the player of recordings is made with. */

const NS_PER_MS = 1_000_000n;

/** UTC milliseconds as the nanoseconds of the wire. @param {number} ms @returns {bigint} */
export const toNs = (ms) => BigInt(Math.round(ms)) * NS_PER_MS;

/** A refusal of the node, with a French sentence. */
export class PlaybackError extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Two byte arrays as one. @param {Uint8Array} one @param {Uint8Array} other @returns {Uint8Array} */
export function concatenated(one, other) {
  const bytes = new Uint8Array(one.byteLength + other.byteLength);
  bytes.set(one);
  bytes.set(other, one.byteLength);
  return bytes;
}

/** Wait, or fail as soon as the signal aborts. @param {number} ms @param {AbortSignal} signal @returns {Promise<void>} */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const aborted = () => (clearTimeout(timer), reject(signal.reason));
    const timer = setTimeout(() => (signal.removeEventListener("abort", aborted), resolve()), ms);
    signal.addEventListener("abort", aborted, { once: true });
  });
}

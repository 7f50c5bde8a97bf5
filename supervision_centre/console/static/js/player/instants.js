/** Instants between the wire, where they are nanoseconds of UTC in decimal, and the console, where they are milliseconds. */

const NS_PER_MS = 1_000_000n;

/** Nanoseconds as milliseconds, fraction kept. @param {string|bigint} ns @returns {number} */
export function msOf(ns) {
  const value = BigInt(ns);
  return Number(value / NS_PER_MS) + Number(value % NS_PER_MS) / 1e6;
}

/** Milliseconds as the nanoseconds of the wire. @param {number} ms @returns {string} */
export function nsOf(ms) {
  const whole = Math.floor(ms);
  return String(BigInt(whole) * NS_PER_MS + BigInt(Math.round((ms - whole) * 1e6)));
}

/** Where the head was before each jump, so that a jump can be undone. Pure. */

const MOST = 50;
const SAME_MS = 500;

/** The positions of one playback. */
export class Trail {
  #behind = [];
  #ahead = [];

  /** Whether there is somewhere to go back to. @returns {boolean} */
  get canGoBack() {
    return this.#behind.length > 0;
  }

  /** Whether something was undone that can be done again. @returns {boolean} */
  get canGoForward() {
    return this.#ahead.length > 0;
  }

  /** Remember the place that is about to be left. @param {number} ms */
  leave(ms) {
    if (Math.abs((this.#behind.at(-1) ?? -Infinity) - ms) >= SAME_MS) this.#behind.push(ms);
    if (this.#behind.length > MOST) this.#behind.shift();
    this.#ahead = [];
  }

  /** The place before the last jump, or null. @param {number} presentMs @returns {number|null} */
  back(presentMs) {
    const ms = this.#behind.pop();
    if (ms === undefined) return null;
    this.#ahead.push(presentMs);
    return ms;
  }

  /** The place that was left by `back`, or null. @param {number} presentMs @returns {number|null} */
  forward(presentMs) {
    const ms = this.#ahead.pop();
    if (ms === undefined) return null;
    this.#behind.push(presentMs);
    return ms;
  }

  /** Forget them all. */
  clear() {
    this.#behind = [];
    this.#ahead = [];
  }
}

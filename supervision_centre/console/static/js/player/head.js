/**
 * The head: one instant of UTC for all the cameras that are played in step, and the speed at which it moves. Pure: it is
 * told how much time went by.
 */

const LONGEST_TICK_MS = 100;

/** The speeds that can be chosen, either way. */
export const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16];

/** The head of a playback. */
export class Head {
  #ms = 0;
  #speed = 1;
  #direction = 1;
  #playing = false;
  #lastMs = null;

  /** Where it stands. @returns {number} UTC milliseconds */
  get ms() {
    return this.#ms;
  }

  /** Milliseconds of recording for one of the wall: negative backwards, 0 when it is held. @returns {number} */
  get rate() {
    return this.#playing ? this.#speed * this.#direction : 0;
  }

  /** Whether it moves. @returns {boolean} */
  get playing() {
    return this.#playing;
  }

  /** The chosen speed. @returns {number} one of `SPEEDS` */
  get speed() {
    return this.#speed;
  }

  /** The chosen direction. @returns {1|-1} */
  get direction() {
    return this.#direction;
  }

  /** Go to an instant. @param {number} ms */
  place(ms) {
    this.#ms = ms;
  }

  /** Move from now on. @param {1|-1} direction @param {number} [speed] */
  play(direction, speed = this.#speed) {
    this.#direction = direction;
    this.#speed = speed;
    this.#playing = true;
  }

  /** Choose a speed, whether it moves or not. @param {number} speed */
  setSpeed(speed) {
    this.#speed = speed;
  }

  /** Stand still. */
  hold() {
    this.#playing = false;
  }

  /**
   * Let time go by.
   * @param {number} atMs of a monotonic clock
   * @param {boolean} waits somebody is not ready: the head stays where it is
   */
  advance(atMs, waits) {
    const went = this.#lastMs === null ? 0 : Math.min(LONGEST_TICK_MS, atMs - this.#lastMs);
    this.#lastMs = atMs;
    if (!waits) this.#ms += this.rate * went;
  }
}

/**
 * What the keys of a shuttle mean: the same direction again is faster, the other one starts at 1.
 * @param {{playing: boolean, direction: 1|-1, speed: number}} state
 * @param {1|-1} direction
 * @returns {number} the speed
 */
export function shuttled({ playing, direction: present, speed }, direction) {
  if (!playing || present !== direction) return 1;
  return SPEEDS[Math.min(SPEEDS.indexOf(speed) + 1, SPEEDS.length - 1)];
}

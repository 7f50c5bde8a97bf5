/**
 * How close to the newest frame a tile plays. Pure: it takes what was measured and answers a rate and, rarely, a jump.
 *
 * The playhead must stand one frame (the newest one, which lasts until the next arrives) plus a margin for jitter behind
 * the end of the buffer. A stream that arrives evenly gets the small margin; one that does not gets what it needs, so
 * that it neither stalls at each late frame nor makes the even ones wait for it.
 */

const MARGIN_FIRST_S = 0.04;
const MARGIN_LAST_S = 0.6;
const JUMP_BEHIND_S = 1;
const FIRST_JUMP_BEHIND_S = 0.2;
const SETTLING_S = 3;
const BETWEEN_JUMPS_S = 0.4;
const CATCH_UP_FROM_S = 0.05;
const JITTER_DECAY = 0.985;
const BASE_DRIFT_S = 0.0005;

/** Follows the arrivals of one stream and says where its playhead should be. */
export class LiveEdge {
  #base = Infinity;
  #jitter = 0;
  #frame = 0.1;
  #catchingUp = false;
  #startedAt = null;
  #lastAt = 0;
  #jumpedAt = -Infinity;

  /** Forget the arrivals, as at a new generation. */
  reset() {
    this.#base = Infinity;
    this.#catchingUp = false;
    this.#startedAt = null;
    this.#jumpedAt = -Infinity;
  }

  /**
   * One fragment came.
   * @param {number} atS when it came, seconds of a monotonic clock
   * @param {number} mediaS where it starts on the media time line
   * @param {number} durationS
   */
  arrived(atS, mediaS, durationS) {
    if (durationS > 0) this.#frame = durationS;
    this.#startedAt ??= atS;
    this.#lastAt = atS;
    const offset = atS - mediaS;
    this.#base = Math.min(this.#base + BASE_DRIFT_S, offset);
    this.#jitter = Math.max(offset - this.#base, this.#jitter * JITTER_DECAY);
  }

  /** The playhead ran into the end of the buffer: hold a little more. */
  starved() {
    this.#jitter = Math.min(MARGIN_LAST_S, this.#jitter + 0.02);
  }

  /** Seconds that the playhead should stand behind the end of the buffer just after an arrival. @returns {number} */
  get target() {
    return this.#frame + Math.min(MARGIN_LAST_S, Math.max(MARGIN_FIRST_S, this.#jitter));
  }

  /**
   * What to do, just after an arrival. The first moments, when everything since the last key frame comes at once, are
   * settled by a jump; later only a long delay is.
   * @param {number} behindS how far the playhead stands behind the end of the buffer
   * @returns {{rate: number, jump: boolean}} `jump` means: go to the end less `target`
   */
  decide(behindS) {
    const excess = behindS - this.target;
    const settling = this.#lastAt - this.#startedAt < SETTLING_S && this.#lastAt - this.#jumpedAt > BETWEEN_JUMPS_S;
    if (excess > (settling ? FIRST_JUMP_BEHIND_S : JUMP_BEHIND_S)) {
      this.#catchingUp = false;
      this.#jumpedAt = this.#lastAt;
      return { rate: 1, jump: true };
    }
    if (excess > CATCH_UP_FROM_S) this.#catchingUp = true;
    else if (excess <= 0) this.#catchingUp = false;
    return { rate: this.#catchingUp ? 1.1 : 1, jump: false };
  }
}

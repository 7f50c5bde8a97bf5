/** Which instant each place of a media time line stands for. */

const LIMIT = 400;

/** The newest marks of one player, in the order of time. */
export class Marks {
  #list = [];

  /** Forget them all. */
  clear() {
    this.#list = [];
  }

  /** @param {number} mediaS where a frame starts @param {number} captureMs its UTC, milliseconds */
  add(mediaS, captureMs) {
    this.#list.push({ mediaS, captureMs });
    if (this.#list.length > LIMIT) this.#list.splice(0, LIMIT / 2);
  }

  /**
   * The UTC of a place of the time line.
   * @param {number} mediaS
   * @returns {number|null} milliseconds; null before the first mark
   */
  captureAt(mediaS) {
    for (let index = this.#list.length - 1; index >= 0; index -= 1) {
      const mark = this.#list[index];
      if (mark.mediaS <= mediaS + 0.001) return mark.captureMs + (mediaS - mark.mediaS) * 1000;
    }
    return null;
  }
}

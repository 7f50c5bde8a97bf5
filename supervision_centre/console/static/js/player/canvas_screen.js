/** The picture of one camera on a canvas, decoded by WebCodecs: every instant, every speed, both ways. */

import { FrameDecoder, paced } from "./frame_decoder.js";
import { FASTEST_WHOLE } from "./reel.js";

/** A screen; `VideoScreen` is the other one. */
export class CanvasScreen {
  #decoder = new FrameDecoder();
  #pen;
  #shown = null;
  #next = null;

  constructor() {
    const canvas = document.createElement("canvas");
    canvas.className = "picture";
    this.#pen = canvas.getContext("2d", { alpha: false });
    /** Where the picture is. @type {HTMLCanvasElement} */
    this.element = canvas;
  }

  /** Whether the browser decodes this stream. @param {any} init @returns {Promise<boolean>} */
  static supports(init) {
    return FrameDecoder.supports(init);
  }

  /** The instant of the picture that is shown, or null. @returns {number|null} UTC milliseconds */
  get shownMs() {
    return this.#shown;
  }

  /**
   * Work towards the picture of an instant.
   * @param {import("./shelf.js").Shelf} shelf
   * @param {{group: any, frame: any}} found what the shelf has at that instant
   * @param {number} _ms
   * @param {number} rate 0 when the picture is held
   * @returns {boolean} whether `draw` can show it now
   */
  prepare(shelf, found, _ms, rate) {
    const wanted = paced(found, rate);
    this.#decoder.want(shelf, wanted, rate, Math.abs(rate) > FASTEST_WHOLE);
    this.#next = wanted.frame.pts === this.#shown ? null : { wanted, picture: this.#decoder.picture(wanted) };
    return this.#next === null || this.#next.picture !== null;
  }

  /** Show what was prepared. */
  draw() {
    if (!this.#next?.picture) return;
    const { wanted, picture } = this.#next;
    this.#next = null;
    this.#draw(picture, wanted.group.init);
    this.#shown = wanted.frame.pts;
  }

  /** Leave no picture. */
  clear() {
    this.#decoder.clear();
    this.#shown = null;
    this.#next = null;
    this.element.width = 16;
    this.element.height = 9;
  }

  /** Give everything back. */
  close() {
    this.clear();
    this.#decoder.close();
  }

  #draw(picture, { width, height }) {
    if (this.element.width !== width || this.element.height !== height) {
      this.element.width = width;
      this.element.height = height;
    }
    this.#pen.drawImage(picture, 0, 0, width, height);
  }
}

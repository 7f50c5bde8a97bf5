/** The picture of one camera on a canvas, decoded by WebCodecs: every instant, every speed, both ways. */

import { FrameDecoder } from "./frame_decoder.js";
import { FASTEST_WHOLE } from "./reel.js";

/** A screen; `VideoScreen` is the other one. */
export class CanvasScreen {
  #decoder = new FrameDecoder();
  #pen;
  #shown = null;

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
   * Show the picture of an instant.
   * @param {import("./shelf.js").Shelf} shelf
   * @param {{group: any, frame: any}} wanted what the shelf has at that instant
   * @param {number} _ms
   * @param {number} rate 0 when the picture is held
   * @returns {boolean} whether it is the one that is on the screen now
   */
  show(shelf, wanted, _ms, rate) {
    const ratio = window.devicePixelRatio || 1;
    this.#decoder.setSize(this.element.clientWidth * ratio, this.element.clientHeight * ratio);
    this.#decoder.want(shelf, wanted, rate, Math.abs(rate) > FASTEST_WHOLE);
    if (wanted.frame.pts === this.#shown) return true;
    const picture = this.#decoder.picture(wanted);
    if (!picture) return false;
    this.#draw(picture, wanted.group.init);
    this.#shown = wanted.frame.pts;
    return true;
  }

  /** Leave no picture. */
  clear() {
    this.#decoder.clear();
    this.#shown = null;
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

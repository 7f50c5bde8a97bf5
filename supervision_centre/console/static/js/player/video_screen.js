/**
 * The picture of one camera on a `<video>`, for browsers without WebCodecs: played forward by the browser up to 4×, and
 * found by seeking for everything else. The media time line is UTC less the origin of the first look.
 */

import { FASTEST_WHOLE } from "./reel.js";

const AHEAD_GROUPS = 4;
const KEPT_GROUPS = 12;
const DRIFT_SEEK_S = 0.25;
const DRIFT_FREE_S = 0.02;
const NUDGE = 0.06;
const INSIDE_S = 0.001;
const EXACT_S = 0.002;
const FIRST_MARGIN_MS = 60_000;

/** A screen; `CanvasScreen` is the other one. */
export class VideoScreen {
  #source = null;
  #buffer = null;
  #baseMs = null;
  #mime = "";
  #init = null;
  #appended = [];
  #keys = false;
  #mediaS = -1;
  #callback = 0;

  constructor() {
    const video = document.createElement("video");
    video.className = "picture";
    video.muted = true;
    video.playsInline = true;
    video.disablePictureInPicture = true;
    video.addEventListener("error", () => this.#source && this.#failed());
    /** Where the picture is. @type {HTMLVideoElement} */
    this.element = video;
  }

  /** Whether the browser decodes this stream. @param {any} init @returns {Promise<boolean>} */
  static async supports({ mime }) {
    return typeof MediaSource === "function" && MediaSource.isTypeSupported(mime);
  }

  /** The instant of the picture that is shown, or null. @returns {number|null} UTC milliseconds */
  get shownMs() {
    return this.#mediaS < 0 ? null : this.#baseMs + this.#mediaS * 1000;
  }

  /**
   * Work towards the picture of an instant; the browser shows it by itself.
   * @param {import("./shelf.js").Shelf} shelf
   * @param {{group: any, frame: any}} wanted what the shelf has at that instant
   * @param {number} ms
   * @param {number} rate 0 when the picture is held
   * @returns {boolean} whether it is on the screen now
   */
  prepare(shelf, wanted, ms, rate) {
    const keys = Math.abs(rate) > FASTEST_WHOLE;
    if (!this.#source) this.#build(wanted.group);
    if (keys !== this.#keys) this.#forget();
    this.#keys = keys;
    if (!this.#buffer) return false;
    this.#append(shelf, wanted, rate);
    return rate > 0 && !keys ? this.#follow(ms, rate) : this.#seek(wanted);
  }

  /** Nothing is left to do. */
  draw() {}

  /** Leave no picture. */
  clear() {
    if (this.#callback) this.element.cancelVideoFrameCallback(this.#callback);
    this.#callback = 0;
    const had = this.#source !== null;
    this.#source = null;
    this.#buffer = null;
    this.#baseMs = null;
    this.#init = null;
    this.#appended = [];
    this.#mediaS = -1;
    if (!had) return;
    this.element.removeAttribute("src");
    this.element.load();
  }

  /** Give everything back. */
  close() {
    this.clear();
  }

  #build(group) {
    const source = new MediaSource();
    const url = URL.createObjectURL(source);
    this.#source = source;
    this.#baseMs = group.originMs - FIRST_MARGIN_MS;
    this.element.src = url;
    source.addEventListener("sourceopen", () => {
      URL.revokeObjectURL(url);
      if (source !== this.#source) return;
      this.#mime = group.init.mime;
      source.duration = Infinity;
      this.#buffer = source.addSourceBuffer(this.#mime);
    }, { once: true });
    const follow = (_, { mediaTime }) => {
      this.#callback = this.element.requestVideoFrameCallback(follow);
      this.#mediaS = mediaTime;
    };
    this.#callback = this.element.requestVideoFrameCallback(follow);
  }

  #append(shelf, wanted, rate) {
    if (this.#buffer.updating || this.#source.readyState !== "open") return;
    let at = wanted;
    for (let count = 0; at && count < AHEAD_GROUPS; count += 1) {
      if (!this.#appended.includes(at.group) && !at.group.bad) {
        this.#give(at.group);
        return;
      }
      const { group } = at;
      at = rate < 0 ? shelf.before({ group, frame: group.frames[0] }) : shelf.after({ group, frame: group.frames[group.frames.length - 1] });
    }
    const excess = this.#appended.length > KEPT_GROUPS && this.#appended.shift();
    if (excess && excess !== wanted.group) this.#buffer.remove(this.#seconds(excess.startMs), this.#seconds(excess.endMs));
  }

  #give(group) {
    if (group.init !== this.#init) {
      if (group.init.mime !== this.#mime) this.#buffer.changeType(group.init.mime);
      this.#mime = group.init.mime;
      this.#init = group.init;
      this.#buffer.appendBuffer(group.init.bytes);
      return;
    }
    const offset = (group.originMs - this.#baseMs) / 1000;
    if (this.#buffer.timestampOffset !== offset) this.#buffer.timestampOffset = offset;
    this.#appended.push(group);
    try {
      this.#buffer.appendBuffer(group.bytes);
    } catch {
      this.#forget();
    }
  }

  #follow(ms, rate) {
    const video = this.element;
    const behind = this.#seconds(ms) - video.currentTime;
    if (Math.abs(behind) > DRIFT_SEEK_S * Math.max(1, rate) && !video.seeking) {
      video.currentTime = this.#seconds(ms);
      return false;
    }
    video.playbackRate = rate * (1 + (Math.abs(behind) < DRIFT_FREE_S ? 0 : Math.sign(behind) * NUDGE));
    if (video.paused && !video.seeking) video.play().catch(() => {});
    return !video.seeking && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
  }

  #seek({ frame }) {
    const video = this.element;
    const target = this.#seconds(frame.pts);
    if (!video.paused) video.pause();
    if (Math.abs(this.#mediaS - target) < EXACT_S) return true;
    const place = target + INSIDE_S;
    const there = Math.abs(video.currentTime - place) < EXACT_S;
    if (!there && !video.seeking && video.readyState >= HTMLMediaElement.HAVE_METADATA) video.currentTime = place;
    return false;
  }

  #seconds(ms) {
    return (ms - this.#baseMs) / 1000;
  }

  #forget() {
    this.#appended = [];
    if (this.#buffer && !this.#buffer.updating) this.#buffer.remove(0, Infinity);
  }

  #failed() {
    const last = this.#appended[this.#appended.length - 1];
    if (last) last.bad = true;
    this.clear();
  }
}

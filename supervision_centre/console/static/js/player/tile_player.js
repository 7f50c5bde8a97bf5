/**
 * One live picture: fragments in, a `<video>` that stays at the live edge out.
 *
 * Rules: 1. The media time line is the player's own and has no holes: a new generation, a restart of the camera's clock or
 * a loss is rebased (`timestampOffset`) onto the end of what is buffered. 2. After an init segment, or a cut, nothing is
 * appended before a key frame. 3. The buffer behind the playhead is trimmed, and a player that fails is built anew from
 * the last init segment. 4. `stop` leaves no picture behind.
 */

import { LiveEdge } from "./live_edge.js";
import { Marks } from "./marks.js";
import { readFragment, readInit } from "./mp4.js";

const KEEP_BEHIND_S = 3;
const TRIM_FROM_S = 8;
const QUEUE_LIMIT = 240;
const WATCH_EVERY_MS = 250;
const REBUILD_WINDOW_MS = 30_000;
const REBUILDS_ALLOWED = 4;

/** A player on one `<video>`. */
export class TilePlayer {
  #video;
  #on;
  #edge = new LiveEdge();
  #source = null;
  #buffer = null;
  #url = "";
  #mime = "";
  #init = null;
  #queue = [];
  #awaitKey = true;
  #rebase = true;
  #offset = 0;
  #end = 0;
  #marks = new Marks();
  #rebuilds = [];
  #watch = 0;
  #frameCallback = 0;

  /**
   * @param {HTMLVideoElement} video
   * @param {{shown?: (utcMs: number) => void, fault?: (sentence: string) => void}} [on] `shown`: the capture instant of
   *   the frame that is on the screen; `fault`: the browser cannot show this stream
   */
  constructor(video, on = {}) {
    this.#video = video;
    this.#on = on;
    video.muted = true;
    video.playsInline = true;
    video.disablePictureInPicture = true;
    video.addEventListener("error", () => this.#source && this.#rebuild());
    video.addEventListener("waiting", () => this.#edge.starved());
  }

  /**
   * An init segment came: the first one, or that of a new generation.
   * @param {{generation: number, bytes: Uint8Array}} frame
   */
  init({ generation, bytes }) {
    const read = readInit(bytes);
    if (!read || !MediaSource.isTypeSupported(read.mime)) {
      this.stop();
      this.#on.fault?.(read ? "Ce navigateur ne sait pas lire le format de cette caméra." : "Le flux reçu est illisible.");
      return;
    }
    this.#init = { ...read, generation, bytes };
    this.#awaitKey = true;
    this.#queue.push({ init: this.#init });
    if (!this.#source) this.#build();
    this.#pump();
  }

  /**
   * A fragment came; one of another generation than the last init segment is left aside.
   * @param {{generation: number, captureMs: number, key: boolean, bytes: Uint8Array}} frame
   * @returns {boolean} whether it was taken
   */
  fragment({ generation, captureMs, key, bytes }) {
    if (generation !== this.#init?.generation) return false;
    if (this.#awaitKey && !key) return false;
    if (this.#queue.length > QUEUE_LIMIT) {
      this.#queue = this.#queue.filter((item) => item.init);
      this.#awaitKey = !key;
      if (!key) return false;
    }
    this.#awaitKey = false;
    this.#queue.push({ captureMs, bytes, atS: performance.now() / 1000 });
    this.#pump();
    return true;
  }

  /** Go back to the live edge, as when the page is seen again. */
  resume() {
    this.#toEdge();
    this.#play();
  }

  /** Stop and leave no picture. */
  stop() {
    this.#tearDown();
    this.#init = null;
    this.#queue = [];
  }

  #build() {
    const source = new MediaSource();
    this.#source = source;
    this.#url = URL.createObjectURL(source);
    this.#video.src = this.#url;
    source.addEventListener("sourceopen", () => this.#opened(source), { once: true });
    this.#watch = window.setInterval(() => this.#inspect(), WATCH_EVERY_MS);
    this.#followFrames();
  }

  #opened(source) {
    URL.revokeObjectURL(this.#url);
    if (source !== this.#source || !this.#init) return;
    this.#mime = this.#init.mime;
    this.#buffer = source.addSourceBuffer(this.#mime);
    this.#buffer.mode = "segments";
    this.#buffer.addEventListener("updateend", () => this.#updated(source));
    this.#pump();
    this.#play();
  }

  #tearDown() {
    clearInterval(this.#watch);
    if (this.#frameCallback) this.#video.cancelVideoFrameCallback(this.#frameCallback);
    this.#frameCallback = 0;
    const had = this.#source !== null;
    this.#source = null;
    this.#buffer = null;
    this.#marks.clear();
    this.#rebase = true;
    this.#awaitKey = true;
    this.#end = 0;
    this.#offset = 0;
    this.#edge.reset();
    if (!had) return;
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  #rebuild() {
    const init = this.#init;
    const moment = performance.now();
    this.#rebuilds = [...this.#rebuilds.filter((at) => moment - at < REBUILD_WINDOW_MS), moment];
    this.#tearDown();
    this.#queue = [];
    if (!init) return;
    if (this.#rebuilds.length > REBUILDS_ALLOWED) {
      this.#init = null;
      this.#on.fault?.("Les images reçues ne peuvent pas être décodées.");
      return;
    }
    this.#queue.push({ init });
    this.#build();
  }

  #pump() {
    if (!this.#buffer || this.#buffer.updating || this.#source.readyState !== "open" || this.#queue.length === 0) return;
    try {
      if (this.#queue[0].init) this.#appendInit(this.#queue.shift().init);
      else this.#appendFragments();
    } catch (error) {
      if (error.name === "QuotaExceededError") this.#makeRoom();
      else this.#rebuild();
    }
  }

  #appendInit(init) {
    if (init.mime !== this.#mime) {
      this.#buffer.changeType(init.mime);
      this.#mime = init.mime;
    }
    this.#rebase = true;
    this.#buffer.appendBuffer(init.bytes);
  }

  #appendFragments() {
    const batch = [];
    while (this.#queue.length > 0 && !this.#queue[0].init) {
      const item = this.#queue[0];
      const time = readFragment(item.bytes, this.#init.timescale);
      if (!time) {
        this.#queue.shift();
        continue;
      }
      const cut = this.#isCut(time);
      if (cut && batch.length > 0) break;
      if (cut) this.#rebaseTo(time.start);
      const mediaS = time.start + this.#offset;
      this.#end = mediaS + time.duration;
      this.#edge.arrived(item.atS, mediaS, time.duration);
      this.#marks.add(mediaS, item.captureMs);
      batch.push(item);
      this.#queue.shift();
    }
    if (batch.length === 0) return;
    try {
      this.#buffer.appendBuffer(batch.length === 1 ? batch[0].bytes : joined(batch));
    } catch (error) {
      this.#queue.unshift(...batch);
      throw error;
    }
  }

  #isCut(time) {
    if (this.#rebase) return true;
    const ahead = time.start + this.#offset - this.#end;
    return ahead < -0.5 * time.duration - 0.02 || ahead > Math.max(0.25, 2 * time.duration);
  }

  #rebaseTo(startS) {
    this.#offset = this.#end - startS;
    this.#buffer.timestampOffset = this.#offset;
    this.#edge.reset();
    this.#rebase = false;
  }

  #updated(source) {
    if (source !== this.#source) return;
    this.#settle();
    if (!this.#trim()) this.#pump();
  }

  #bufferedEnd() {
    const ranges = this.#video.buffered;
    return ranges.length > 0 ? ranges.end(ranges.length - 1) : null;
  }

  #settle() {
    const end = this.#bufferedEnd();
    if (end === null || this.#video.seeking) return;
    const { rate, jump } = this.#edge.decide(end - this.#video.currentTime);
    if (jump) this.#toEdge();
    if (this.#video.playbackRate !== rate) this.#video.playbackRate = rate;
  }

  #toEdge() {
    const end = this.#bufferedEnd();
    if (end === null) return;
    const ranges = this.#video.buffered;
    this.#video.currentTime = Math.max(ranges.start(ranges.length - 1), end - this.#edge.target);
  }

  #trim() {
    const ranges = this.#video.buffered;
    const limit = this.#video.currentTime - KEEP_BEHIND_S;
    if (ranges.length === 0 || this.#video.currentTime - ranges.start(0) < TRIM_FROM_S || limit <= ranges.start(0)) return false;
    this.#buffer.remove(0, limit);
    return true;
  }

  #makeRoom() {
    const end = this.#bufferedEnd();
    const ranges = this.#video.buffered;
    if (end === null || end - ranges.start(0) < 1) {
      this.#rebuild();
      return;
    }
    this.#toEdge();
    this.#buffer.remove(0, Math.max(ranges.start(0) + 0.5, this.#video.currentTime - 0.5));
  }

  /** What no arrival tells: a playhead before a hole, a page that was hidden, a browser that paused the picture. */
  #inspect() {
    if (!this.#source || this.#video.seeking) return;
    const end = this.#bufferedEnd();
    if (end === null) return;
    const ranges = this.#video.buffered;
    const lastStart = ranges.start(ranges.length - 1);
    if (this.#video.currentTime < lastStart || (document.hidden && end - this.#video.currentTime > 2)) this.#toEdge();
    if (this.#video.paused && !document.hidden) this.#play();
  }

  #play() {
    if (this.#source && this.#video.paused) this.#video.play().catch(() => {});
  }

  #followFrames() {
    const follow = (_, frame) => {
      this.#frameCallback = this.#video.requestVideoFrameCallback(follow);
      const captureMs = this.#marks.captureAt(frame.mediaTime);
      if (captureMs !== null) this.#on.shown?.(captureMs);
    };
    this.#frameCallback = this.#video.requestVideoFrameCallback(follow);
  }
}

function joined(batch) {
  const bytes = new Uint8Array(batch.reduce((total, item) => total + item.bytes.byteLength, 0));
  let at = 0;
  for (const item of batch) {
    bytes.set(item.bytes, at);
    at += item.bytes.byteLength;
  }
  return bytes;
}

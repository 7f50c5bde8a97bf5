/**
 * Recorded images: one HTTP answer read at the pace of the picture, on a `<video>` whose time line is UTC less an origin.
 *
 * Rules: 1. Nothing is read further than `AHEAD_S` seconds (times the speed) ahead of the picture: the rest stays at the
 * node. 2. Where images are missing the picture jumps to the next ones, and says so. 3. An answer that ends before the
 * end of what was asked, as it does where the camera's format changes, is asked again from where it stopped. 4. `stop`
 * leaves no picture behind.
 */

import { initLength, readInit } from "./mp4.js";
import { concatenated, pause, PlaybackError, toNs } from "./recording.js";

const AHEAD_S = 15;
const BEHIND_S = 45;
const LOOK_EVERY_MS = 200;
const FIRST_INTERVAL_S = 0.08;
const INTERVALS_KEPT = 12;
const STALL_S = 0.6;
const LONGEST_FRAME_S = 0.5;
const SHORTEST_PROGRESS_S = 0.2;

/** The player of one `<video>`. */
export class RecordingPlayer {
  #video;
  #on;
  #mediaUrl;
  #source = null;
  #buffer = null;
  #abort = null;
  #originMs = 0;
  #intervals = [];
  #lastMediaS = -1;
  #startS = 0;
  #watch = 0;
  #frameCallback = 0;
  #wantsPlay = true;
  #ended = false;

  /**
   * @param {HTMLVideoElement} video
   * @param {string} mediaUrl address of the node
   * @param {{shown: (utcMs: number) => void, jumped: (fromMs: number, toMs: number) => void, ended: () => void,
   *   failed: (error: PlaybackError) => void}} on
   */
  constructor(video, mediaUrl, on) {
    this.#video = video;
    this.#mediaUrl = mediaUrl.replace(/\/$/, "");
    this.#on = on;
    video.muted = true;
    video.addEventListener("error", () => this.#source && this.#fail("media.decode", "Les images reçues ne peuvent pas être décodées."));
  }

  /** Whether there is something to play. */
  get active() {
    return this.#source !== null;
  }

  /** The UTC of the picture, in milliseconds. */
  get utcMs() {
    return this.#originMs + this.#video.currentTime * 1000;
  }

  /**
   * Play from an instant.
   * @param {{ticket: () => string, fromMs: number, toMs: number}} what `ticket` gives the newest one
   */
  async play({ ticket, fromMs, toMs }) {
    this.stop();
    const abort = new AbortController();
    this.#abort = abort;
    this.#originMs = fromMs;
    this.#wantsPlay = true;
    try {
      await this.#openSource();
      await this.#read(abort, ticket, fromMs, toMs);
    } catch (error) {
      if (abort.signal.aborted) return;
      if (error instanceof PlaybackError) this.#fail(error.code, error.message);
      else this.#fail("node.lost", "La lecture est interrompue\u00a0: l’enregistreur ne répond plus.");
    }
  }

  /** Go to an instant that is buffered. @param {number} ms @returns {boolean} whether it was */
  seek(ms) {
    const at = (ms - this.#originMs) / 1000;
    const ranges = this.#video.buffered;
    for (let index = 0; index < ranges.length; index += 1) {
      if (ranges.start(index) <= at && at < ranges.end(index)) {
        this.#startS = 0;
        this.#video.currentTime = at;
        this.#ended = false;
        return true;
      }
    }
    return false;
  }

  /** @param {number} rate 0.5 to 8 */
  setRate(rate) {
    this.#video.defaultPlaybackRate = rate;
    this.#video.playbackRate = rate;
  }

  /** Go on. */
  resume() {
    this.#wantsPlay = true;
    if (this.#source) this.#video.play().catch(() => {});
  }

  /** Hold the picture. */
  pause() {
    this.#wantsPlay = false;
    this.#video.pause();
  }

  /** One image further or back; the picture is held. @param {1|-1} direction */
  step(direction) {
    this.pause();
    this.#startS = 0;
    const from = this.#lastMediaS >= 0 ? this.#lastMediaS : this.#video.currentTime;
    const interval = Math.min(...this.#intervals, this.#intervals.length > 0 ? Infinity : FIRST_INTERVAL_S);
    this.#video.currentTime = Math.max(0, from + (direction > 0 ? 1.02 : -0.98) * interval);
  }

  /** Stop and leave no picture. */
  stop() {
    this.#abort?.abort();
    this.#abort = null;
    clearInterval(this.#watch);
    if (this.#frameCallback) this.#video.cancelVideoFrameCallback(this.#frameCallback);
    this.#frameCallback = 0;
    this.#lastMediaS = -1;
    this.#ended = false;
    if (!this.#source) return;
    this.#source = null;
    this.#buffer = null;
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  #fail(code, message) {
    this.stop();
    this.#on.failed(new PlaybackError(code, message));
  }

  async #openSource() {
    const source = new MediaSource();
    const url = URL.createObjectURL(source);
    this.#source = source;
    this.#video.src = url;
    await new Promise((resolve) => source.addEventListener("sourceopen", resolve, { once: true }));
    URL.revokeObjectURL(url);
    this.#watch = window.setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#followFrames();
  }

  async #read(abort, ticket, fromMs, toMs) {
    let from = fromMs;
    let first = true;
    while (from < toMs) {
      const response = await this.#request(abort, ticket, from, toMs, first);
      if (!response) break;
      const startMs = Number(BigInt(response.headers.get("X-Media-Start-Ns") ?? toNs(from)) / 1_000n) / 1000;
      if (first) this.#originMs = startMs;
      await this.#readBody(abort, response, startMs, first ? fromMs : null);
      const reached = this.#originMs + this.#end() * 1000;
      if (reached < from + SHORTEST_PROGRESS_S * 1000) break;
      from = reached;
      first = false;
    }
    this.#ended = true;
  }

  async #request(abort, ticket, fromMs, toMs, first) {
    const response = await fetch(`${this.#mediaUrl}/playback?from=${toNs(fromMs)}&to=${toNs(toMs)}`, {
      headers: { Authorization: `Bearer ${ticket()}` },
      signal: abort.signal,
      cache: "no-store",
    });
    if (response.ok) return response;
    if (!first && response.status === 404) return null;
    const answer = await response.json().catch(() => ({}));
    throw new PlaybackError(answer.code ?? `http.${response.status}`, answer.message ?? "L’enregistreur a refusé la lecture.");
  }

  async #readBody(abort, response, startMs, seekMs) {
    const reader = response.body.getReader();
    let head = new Uint8Array(0);
    let ready = false;
    for (;;) {
      await this.#room(abort);
      const { done, value } = await reader.read();
      if (done) break;
      if (ready) await this.#append(abort, value);
      else head = concatenated(head, value);
      const length = ready ? 0 : initLength(head);
      if (length === 0) continue;
      this.#prepare(head.subarray(0, length), startMs);
      ready = true;
      if (seekMs !== null) this.#startS = Math.max(0, (seekMs - startMs) / 1000);
      await this.#append(abort, head);
      if (seekMs === null) continue;
      this.#video.currentTime = this.#startS;
      if (this.#wantsPlay) this.resume();
    }
  }

  #prepare(init, startMs) {
    const read = readInit(init);
    if (!read || !MediaSource.isTypeSupported(read.mime)) {
      throw new PlaybackError("media.unsupported", "Ce navigateur ne sait pas lire le format de cette caméra.");
    }
    if (this.#buffer) this.#buffer.changeType(read.mime);
    else {
      this.#buffer = this.#source.addSourceBuffer(read.mime);
      this.#buffer.mode = "segments";
    }
    this.#buffer.timestampOffset = (startMs - this.#originMs) / 1000;
  }

  async #append(abort, bytes) {
    for (;;) {
      await this.#idle(abort);
      try {
        this.#buffer.appendBuffer(bytes);
        await this.#idle(abort);
        return;
      } catch (error) {
        if (error.name !== "QuotaExceededError") throw error;
        const until = this.#video.currentTime - 1;
        if (until > 0) this.#buffer.remove(0, until);
        else await pause(500, abort.signal);
      }
    }
  }

  async #idle(abort) {
    abort.signal.throwIfAborted();
    if (this.#buffer.updating) {
      await new Promise((resolve) => this.#buffer.addEventListener("updateend", resolve, { once: true }));
    }
    abort.signal.throwIfAborted();
  }

  /** Wait until the picture has come close enough to what is buffered, and forget what is far behind it. */
  async #room(abort) {
    while (this.#buffer && this.#end() - this.#video.currentTime > AHEAD_S * Math.max(1, this.#video.playbackRate)) {
      await pause(LOOK_EVERY_MS, abort.signal);
    }
    const until = this.#video.currentTime - BEHIND_S;
    if (!this.#buffer || until <= 0 || this.#buffer.updating) return;
    this.#buffer.remove(0, until);
    await this.#idle(abort);
  }

  #end() {
    const ranges = this.#video.buffered;
    return ranges.length > 0 ? ranges.end(ranges.length - 1) : 0;
  }

  /** A hole before the picture is jumped over; the end is told once. */
  #look() {
    const at = this.#video.currentTime;
    const ranges = this.#video.buffered;
    if (ranges.length === 0 || this.#video.seeking) return;
    for (let index = 0; index < ranges.length; index += 1) {
      const waits = index === 0 ? at < ranges.start(0) : at < ranges.start(index) && this.#reached(ranges.end(index - 1));
      if (!waits) continue;
      this.#on.jumped(this.utcMs, this.#originMs + ranges.start(index) * 1000);
      this.#video.currentTime = ranges.start(index);
      if (this.#wantsPlay) this.resume();
      return;
    }
    if (this.#ended && this.#reached(this.#end())) {
      this.#ended = false;
      this.pause();
      this.#on.ended();
    }
  }

  /** Whether the picture has come to the end of a stretch: a browser stalls up to a few images before it. */
  #reached(endS) {
    const left = endS - this.#video.currentTime;
    return left < 0.05 || (left < STALL_S && this.#video.readyState <= HTMLMediaElement.HAVE_CURRENT_DATA);
  }

  #followFrames() {
    const follow = (_, frame) => {
      this.#frameCallback = this.#video.requestVideoFrameCallback(follow);
      if (frame.mediaTime < this.#startS - LONGEST_FRAME_S) return;
      const interval = frame.mediaTime - this.#lastMediaS;
      if (this.#lastMediaS >= 0 && interval > 0.005) this.#intervals = [...this.#intervals.slice(-INTERVALS_KEPT), interval];
      this.#lastMediaS = frame.mediaTime;
      this.#on.shown(this.#originMs + frame.mediaTime * 1000);
    };
    this.#frameCallback = this.#video.requestVideoFrameCallback(follow);
  }
}

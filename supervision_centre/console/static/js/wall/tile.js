/** One tile: a caption, the picture, and over the picture, when there is none, why and since when. */

import { TilePlayer } from "../player/tile_player.js";
import { now } from "../session.js";
import { h, icon, setText } from "../ui/dom.js";
import { clockTime, number, plural, since, utcTime } from "../ui/format.js";
import { causeSentence, conditionTitle } from "./causes.js";

const LAG_SHOWN_MS = 4_000;
const STALE_AFTER_MS = 2_500;

/** The view of one camera on the wall. */
export class Tile {
  #camera;
  #dot = h("span", { class: "dot", "aria-hidden": "true" });
  #time = h("time", { class: "tile__time figures" });
  #lag = h("span", { class: "tile__lag", hidden: true, text: "En retard" });
  #receipt = h("span", { class: "tile__receipt" });
  #video = h("video", { class: "tile__video", muted: true, tabIndex: -1 });
  #title = h("p", { class: "tile__title" });
  #why = h("p", { class: "tile__why" });
  #when = h("p", { class: "tile__since figures" });
  #cover;
  #player;
  #lagTimer = 0;
  #dropped = 0;
  #shownMs = 0;
  #shownAt = 0;

  /**
   * @param {any} camera as the API lists it
   * @param {{activate: () => void, focused: () => void}} on
   */
  constructor(camera, on) {
    this.#camera = camera;
    this.#cover = h("div", { class: "tile__cover" }, icon("nosignal"), this.#title, this.#why, this.#when);
    this.#video.dataset.camera = camera.id;
    this.#video.setAttribute("aria-hidden", "true");
    /** The tile's element. @type {HTMLElement} */
    this.element = h(
      "article",
      {
        class: "tile", tabIndex: -1, role: "button", data: { tile: camera.id },
        on: { click: on.activate, focus: on.focused },
      },
      h(
        "header",
        { class: "tile__caption" },
        this.#dot,
        h("span", { class: "tile__name", text: camera.name }),
        h("span", { class: "tile__commune", text: camera.commune_name }),
        h("span", { class: "tile__authority", text: camera.authority ? `Autorité\u00a0: ${camera.authority}` : "" }),
        this.#receipt,
        this.#lag,
        this.#time,
      ),
      h("div", { class: "tile__picture" }, this.#video, this.#cover),
    );
    this.#player = new TilePlayer(this.#video, {
      shown: (utcMs) => this.#shown(utcMs),
      fault: (sentence) => this.show("unreadable", { sentence }),
    });
    this.show("connecting", {});
  }

  /** The id of the camera. @returns {string} */
  get cameraId() {
    return this.#camera.id;
  }

  /**
   * What the gateway tells of this tile goes in here.
   * @param {{ended: (message: any) => void, condition: (condition: string) => void}} on
   * @returns {import("../player/gateway.js").Receiver}
   */
  receiver({ ended, condition }) {
    return {
      stream: () => {},
      status: (message) => {
        this.status(message);
        condition(message.condition);
      },
      lag: (message) => this.#late(message.dropped ?? 0),
      init: (frame) => this.#player.init(frame),
      fragment: (frame) => {
        if (!this.#player.fragment(frame)) return;
        this.#video.dataset.frameUtc = new Date(frame.captureMs).toISOString();
      },
      lost: () => this.show("reconnecting", { sentence: "La liaison avec l’enregistreur est interrompue." }),
      ended,
    };
  }

  /** A status of the stream. @param {{condition: string, since?: string, cause?: string}} message */
  status({ condition, since: sinceText, cause }) {
    const sinceMs = Date.parse(sinceText ?? "");
    this.show(condition, { sentence: causeSentence(cause), sinceMs: Number.isNaN(sinceMs) ? null : sinceMs });
  }

  /**
   * Show a condition. Everything but `live` covers the picture, so that a frozen image is never taken for a live one.
   * @param {string} condition
   * @param {{sentence?: string, sinceMs?: number|null}} details
   */
  show(condition, { sentence = "", sinceMs = null } = {}) {
    this.element.dataset.condition = condition;
    this.#video.dataset.condition = condition;
    this.#cover.hidden = condition === "live" && this.#shownMs > 0;
    setText(this.#title, condition === "live" ? "Arrivée de la première image…" : conditionTitle(condition));
    setText(this.#why, sentence);
    setText(this.#when, sinceMs && condition !== "live" ? capitalised(since(sinceMs, now())) : "");
    if (condition !== "live") this.#noTime();
    this.#label();
  }

  /** Stop the picture and say why. @param {string} condition @param {{sentence?: string, sinceMs?: number|null}} details */
  stop(condition, details = {}) {
    this.#player.stop();
    this.show(condition, details);
  }

  /** The journal entry behind this picture. @param {number|null} index */
  setReceipt(index) {
    setText(this.#receipt, index === null ? "" : `Consultation n°\u00a0${number(index)} inscrite au journal`);
  }

  /** Go back to the live edge. */
  resume() {
    this.#player.resume();
  }

  /** A picture that no longer advances is said to be late. @param {number} atMs monotonic milliseconds */
  inspect(atMs) {
    const stale = this.#shownMs > 0 && this.element.dataset.condition === "live" && atMs - this.#shownAt > STALE_AFTER_MS;
    this.element.classList.toggle("tile--stale", stale && !document.hidden);
    if (stale && !document.hidden) {
      this.#lag.hidden = false;
      setText(this.#lag, "Image figée");
    } else if (this.#lagTimer === 0) this.#lag.hidden = true;
  }

  /** Leave the wall. */
  remove() {
    clearTimeout(this.#lagTimer);
    this.#player.stop();
    this.element.remove();
  }

  #shown(utcMs) {
    if (this.element.dataset.condition !== "live") return;
    this.#shownAt = performance.now();
    this.#cover.hidden = true;
    this.#shownMs = utcMs;
    this.#video.dataset.shownUtc = new Date(utcMs).toISOString();
    setText(this.#time, clockTime(utcMs));
    this.#time.title = utcTime(utcMs);
  }

  #noTime() {
    this.#shownMs = 0;
    setText(this.#time, "");
    this.#time.removeAttribute("title");
    delete this.#video.dataset.shownUtc;
  }

  #late(dropped) {
    this.#dropped += dropped;
    this.#lag.hidden = false;
    setText(this.#lag, `En retard\u00a0: ${plural(this.#dropped, "image omise", "images omises")}`);
    clearTimeout(this.#lagTimer);
    this.#lagTimer = window.setTimeout(() => {
      this.#lagTimer = 0;
      this.#dropped = 0;
      this.#lag.hidden = true;
    }, LAG_SHOWN_MS);
  }

  #label() {
    const live = this.element.dataset.condition === "live";
    const state = live ? "en direct" : `${this.#title.textContent} ${this.#why.textContent} ${this.#when.textContent}`;
    this.element.setAttribute("aria-label", `${this.#camera.name}, ${this.#camera.commune_name}\u00a0: ${state.trim()}`);
  }
}

const capitalised = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/**
 * Small pictures of the recording, from the node's key frames: a strip under the time line, and one while the head is
 * dragged. They are shown under a look, within its range, and where the node has none the console goes on without.
 */

import { msOf, nsOf } from "../player/instants.js";
import { fill, h } from "../ui/dom.js";
import { clockTime } from "../ui/format.js";

const WIDTH_PX = 112;
const MOST = 60;
const PAUSE_MS = 350;
const WITHOUT_MS = 60_000;
const SCRUB_WIDTH_PX = 256;

/** The stills of one screen. */
export class Stills {
  #mediaUrl;
  #stills = [];
  #asked = "";
  #timer = 0;
  #withoutUntil = 0;
  #look = null;
  #scrub = { busy: false, nextMs: null, image: null };
  #tipImage = h("img", { class: "timeline__still", alt: "" });

  /** @param {string} mediaUrl address of the node */
  constructor(mediaUrl) {
    this.#mediaUrl = mediaUrl.replace(/\/$/, "");
    /** The strip. @type {HTMLElement} */
    this.element = h("div", { class: "strip", hidden: true, "aria-hidden": "true" });
  }

  /**
   * Show the strip of a stretch, soon.
   * @param {import("./looks.js").Look|null} look the look of the camera that is chosen
   * @param {{startMs: number, endMs: number}} range
   */
  show(look, range) {
    this.#look = look;
    clearTimeout(this.#timer);
    if (!look) {
      this.#draw([], range);
      return;
    }
    this.#place(range);
    this.#timer = window.setTimeout(() => this.#load(look, range), PAUSE_MS);
  }

  /** Stop asking. */
  stop() {
    clearTimeout(this.#timer);
    this.#look = null;
    this.#withoutUntil = Infinity;
  }

  /**
   * A small picture of an instant, out of the strip; `exact` asks the node for that very one.
   * @param {number} ms
   * @param {boolean} exact
   * @returns {HTMLElement|null}
   */
  near(ms, exact) {
    if (exact) this.#askStill(ms);
    else this.#scrub.image = null;
    const nearest = this.#stills.reduce((best, one) => (best && Math.abs(best.ms - ms) <= Math.abs(one.ms - ms) ? best : one), null);
    const source = this.#scrub.image ?? (nearest && Math.abs(nearest.ms - ms) < this.#spacing() ? nearest.source : null);
    if (!source) return null;
    if (this.#tipImage.src !== source) this.#tipImage.src = source;
    return this.#tipImage;
  }

  #spacing() {
    if (this.#stills.length < 2) return 10_000;
    return (this.#stills.at(-1).ms - this.#stills[0].ms) / (this.#stills.length - 1);
  }

  async #load(look, range) {
    const startMs = Math.max(range.startMs, look.fromMs);
    const endMs = Math.min(range.endMs, look.toMs);
    const share = (endMs - startMs) / (range.endMs - range.startMs);
    const count = Math.min(MOST, Math.floor(((this.element.parentElement?.clientWidth ?? 0) * share) / WIDTH_PX));
    const asked = `${look.id} ${startMs} ${endMs} ${count}`;
    if (asked === this.#asked || performance.now() < this.#withoutUntil) return;
    if (count < 1) {
      this.#draw([], range);
      return;
    }
    const answer = await this.#get(`/strip?from=${nsOf(startMs)}&to=${nsOf(endMs)}&count=${count}&width=${2 * WIDTH_PX}`, look);
    if (!answer || look !== this.#look) return;
    const { stills = [] } = await answer.json().catch(() => ({}));
    this.#asked = asked;
    this.#draw(stills.map(({ at, jpeg }) => ({ ms: msOf(at), source: `data:image/jpeg;base64,${jpeg}` })), range);
  }

  async #askStill(ms) {
    const scrub = this.#scrub;
    scrub.nextMs = ms;
    if (scrub.busy || !this.#look) return;
    scrub.busy = true;
    while (scrub.nextMs !== null && this.#look) {
      const at = scrub.nextMs;
      scrub.nextMs = null;
      const look = this.#look;
      if (at < look.fromMs || at >= look.toMs) continue;
      const answer = await this.#get(`/still?at=${nsOf(at)}&width=${SCRUB_WIDTH_PX}`, look);
      if (!answer) break;
      const bytes = new Uint8Array(await answer.arrayBuffer());
      scrub.image = `data:image/jpeg;base64,${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}`;
      this.#tipImage.src = scrub.image;
    }
    scrub.busy = false;
  }

  async #get(path, look) {
    if (performance.now() < this.#withoutUntil) return null;
    try {
      const answer = await fetch(`${this.#mediaUrl}${path}`, { headers: { Authorization: `Bearer ${look.ticket}` }, cache: "no-store" });
      if (answer.ok) return answer;
      if (answer.status === 503) this.#withoutUntil = performance.now() + WITHOUT_MS;
    } catch {
      this.#withoutUntil = performance.now() + WITHOUT_MS;
    }
    return null;
  }

  #draw(stills, range) {
    this.#stills = stills;
    if (stills.length === 0) this.#asked = "";
    this.element.hidden = stills.length === 0;
    fill(this.element, stills.map((still) => {
      still.element = h("img", { class: "strip__still", src: still.source, alt: "", title: clockTime(still.ms) });
      return still.element;
    }));
    this.#place(range);
  }

  /** Each still stands at its instant, also while the stretch moves. */
  #place({ startMs, endMs }) {
    for (const { ms, element } of this.#stills) {
      const share = (ms - startMs) / (endMs - startMs);
      element.hidden = share < 0 || share > 1;
      element.style.setProperty("--at", String(share));
    }
  }
}

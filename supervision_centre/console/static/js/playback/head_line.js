/** The line above the pictures: what the head does, where it stands, and the entries of the journal behind the pictures. */

import { h, setText } from "../ui/dom.js";
import { longDate, number, preciseTime, utcTime } from "../ui/format.js";

/** The line of one playback. */
export class HeadLine {
  #state = h("p", { class: "head-line__state figures", role: "status" });
  #receipt = h("p", { class: "note head-line__receipt" });
  #hour = h("time", { class: "head-line__hour figures", data: { clock: "playback" } });
  #day = h("span", { class: "head-line__day" });
  #zone = h("span", { class: "head-line__utc note figures" });

  constructor() {
    /** @type {HTMLElement} */
    this.element = h(
      "header",
      { class: "head-line" },
      h("h1", { class: "visually-hidden", text: "Relecture" }),
      this.#state,
      this.#receipt,
      h("div", { class: "head-line__instant" }, this.#zone, this.#day, this.#hour),
    );
  }

  /** @param {import("./looks.js").Look[]} looks those that are open */
  setLooks(looks) {
    const indexes = looks.map((look) => look.receiptIndex).filter((index) => index !== null).map(number);
    const text = indexes.length > 1 ? "Consultations inscrites au journal, n°" : "Consultation inscrite au journal, n°";
    setText(this.#receipt, indexes.length === 0 ? "" : `${text}\u00a0${indexes.join(", ")}`);
    if (looks.length === 0) this.#set("", "", "", "");
  }

  /** @param {number} ms of the head @param {string} state what it does, in words */
  setHead(ms, state) {
    this.#set(state, preciseTime(ms).slice(0, -1), longDate(ms), utcTime(ms));
  }

  #set(state, hour, day, utc) {
    setText(this.#state, state);
    setText(this.#hour, hour);
    setText(this.#day, day);
    setText(this.#zone, utc);
    this.#hour.title = utc;
  }
}

/**
 * Instants that the operator marked, to come back to them. They hold no text, and live no longer than the page.
 */

import { h, fill, icon } from "../ui/dom.js";
import { clockTime, dateTime } from "../ui/format.js";

const SAME_MS = 250;
const MOST = 40;

/** The marked instants, in the order of time, and their row on the screen. */
export class Markers {
  #list = [];
  #on;

  /** @param {{go: (ms: number) => void, changed: (list: number[]) => void}} on */
  constructor(on) {
    this.#on = on;
    /** @type {HTMLElement} */
    this.element = h("ul", { class: "markers", "aria-label": "Repères", hidden: true });
  }

  /** The marked instants. @returns {number[]} UTC milliseconds */
  get list() {
    return this.#list;
  }

  /** Mark an instant, or unmark it. @param {number} ms @returns {boolean} whether it is marked now */
  toggle(ms) {
    const there = this.#list.find((one) => Math.abs(one - ms) < SAME_MS);
    if (there !== undefined) this.remove(there);
    else this.#set([...this.#list, ms].sort((one, other) => one - other).slice(-MOST));
    return there === undefined;
  }

  /** Put a marker back, as an undo does. @param {number} ms */
  put(ms) {
    if (!this.#list.includes(ms)) this.#set([...this.#list, ms].sort((one, other) => one - other));
  }

  /** Unmark. @param {number} ms */
  remove(ms) {
    this.#set(this.#list.filter((one) => one !== ms));
  }

  /** The marker after or before an instant, or null. @param {number} ms @param {1|-1} direction @returns {number|null} */
  neighbour(ms, direction) {
    const found = direction > 0
      ? this.#list.find((one) => one > ms + SAME_MS)
      : this.#list.findLast((one) => one < ms - SAME_MS);
    return found ?? null;
  }

  #set(list) {
    this.#list = list;
    this.element.hidden = list.length === 0;
    fill(this.element, list.map((ms) => h(
      "li",
      { class: "marker" },
      h("button", { class: "marker__go figures", type: "button", title: `Aller au ${dateTime(ms)}`, text: clockTime(ms),
        on: { click: () => this.#on.go(ms) } }),
      h("button", { class: "marker__remove", type: "button", title: "Ôter ce repère", "aria-label": `Ôter le repère de ${clockTime(ms)}`,
        on: { click: () => this.remove(ms) } }, icon("close")),
    )));
    this.#on.changed(list);
  }
}

/** The cameras, by commune, with a search: beside the wall and beside the playback. */

import { fill, h, icon, setText } from "../ui/dom.js";
import { plural } from "../ui/format.js";
import { conditionLabel } from "./causes.js";

const TYPING_MS = 400;

/** Letters without accents, in lower case: « Évreux » is found by « evr ». @param {string} text */
const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/**
 * The cameras that a search and a commune leave.
 * @param {any[]} cameras
 * @param {{text: string, commune: string}} filter
 * @returns {any[]}
 */
export function matching(cameras, { text, commune }) {
  const words = folded(text).split(/\s+/).filter(Boolean);
  return cameras.filter((camera) => {
    if (commune && camera.commune !== commune) return false;
    const haystack = folded(`${camera.name} ${camera.commune_name}`);
    return words.every((word) => haystack.includes(word));
  });
}

/** A list of cameras with a search field and a choice of commune. */
export class CameraList {
  #cameras = [];
  #on;
  #rows = new Map();
  #current = new Set();
  #typing = 0;
  #groups = h("div", { class: "cameras__groups" });
  #count = h("p", { class: "cameras__count note", role: "status" });
  #search;
  #commune;

  /**
   * @param {{pick: (camera: any) => void, add?: (camera: any) => void, filtered?: (cameras: any[]) => void, label: string}} on
   *   `filtered` when the search or the commune changed; `add` offers to take a camera beside those that are there
   */
  constructor(on) {
    this.#on = on;
    this.#search = h("input", {
      class: "input cameras__search", type: "search", placeholder: "Caméra ou commune", "aria-label": "Chercher une caméra",
      on: {
        input: () => this.#changed(),
        keydown: (event) => this.#leaveSearch(event),
      },
    });
    this.#commune = h("select", { class: "input", "aria-label": "Commune", on: { change: () => this.#changed() } });
    /** @type {HTMLElement} */
    this.element = h(
      "aside",
      { class: "cameras", "aria-label": on.label },
      h("div", { class: "cameras__tools" }, h("div", { class: "cameras__find" }, icon("search"), this.#search), this.#commune),
      this.#groups,
      this.#count,
    );
  }

  /** The cameras that the search leaves. @returns {any[]} */
  get visible() {
    return matching(this.#cameras, { text: this.#search.value, commune: this.#commune.value });
  }

  /** Show these cameras. @param {any[]} cameras */
  setCameras(cameras) {
    this.#cameras = cameras;
    const communes = new Map(cameras.map((camera) => [camera.commune, camera.commune_name]));
    const kept = this.#commune.value;
    const options = [...communes].sort((one, other) => one[1].localeCompare(other[1], "fr"));
    fill(
      this.#commune,
      h("option", { value: "", text: "Toutes les communes" }),
      options.map(([code, name]) => h("option", { value: code, text: name })),
    );
    this.#commune.value = communes.has(kept) ? kept : "";
    this.#draw();
  }

  /** Refresh the state of one camera. @param {string} id @param {string} condition */
  setCondition(id, condition) {
    const row = this.#rows.get(id);
    if (!row || row.element.dataset.condition === condition) return;
    row.element.dataset.condition = condition;
    setText(row.state, conditionLabel(condition));
  }

  /** Mark the cameras that are enlarged or played. @param {...string} ids */
  setCurrent(...ids) {
    this.#current = new Set(ids);
    for (const [camera, { element, add }] of this.#rows) {
      const there = this.#current.has(camera);
      element.setAttribute("aria-pressed", String(there));
      if (add) fill(add, icon(there ? "close" : "plus"));
      add?.setAttribute("aria-label", `${there ? "Retirer" : "Ajouter"} ${element.textContent}`);
      if (add) add.title = there ? "Retirer" : "Relire en même temps";
    }
  }

  /** Put the cursor in the search. */
  focusSearch() {
    this.#search.focus();
    this.#search.select();
  }

  #leaveSearch(event) {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    if (this.#search.value) {
      this.#search.value = "";
      this.#changed();
    } else this.#search.blur();
  }

  /** Each camera that comes back to a wall is an entry in the journal: the wall waits for the end of the typing. */
  #changed() {
    this.#draw();
    clearTimeout(this.#typing);
    this.#typing = window.setTimeout(() => this.element.isConnected && this.#on.filtered?.(this.visible), TYPING_MS);
  }

  #draw() {
    this.#rows.clear();
    const groups = new Map();
    for (const camera of this.visible) {
      if (!groups.has(camera.commune)) groups.set(camera.commune, []);
      groups.get(camera.commune).push(camera);
    }
    fill(
      this.#groups,
      [...groups.values()].map((cameras) =>
        h(
          "section",
          { class: "cameras__group" },
          h("h3", { class: "cameras__commune" }, cameras[0].commune_name, h("span", { text: String(cameras.length) })),
          h("ul", {}, cameras.map((camera) => h("li", { class: "camera-row" }, this.#row(camera)))),
        ),
      ),
      groups.size === 0 && h("p", { class: "cameras__none note", text: "Aucune caméra ne correspond." }),
    );
    setText(this.#count, plural(this.visible.length, "caméra"));
    this.setCurrent(...this.#current);
  }

  #row(camera) {
    const state = h("span", { class: "camera__state" });
    const element = h(
      "button",
      { class: "camera", type: "button", data: { pick: camera.id }, on: { click: () => this.#on.pick(camera) } },
      h("span", { class: "dot", "aria-hidden": "true" }),
      h("span", { class: "camera__name", text: camera.name }),
      state,
    );
    const add = this.#on.add &&
      h("button", { class: "camera__add", type: "button", data: { add: camera.id }, on: { click: () => this.#on.add(camera) } });
    this.#rows.set(camera.id, { element, state, add });
    this.setCondition(camera.id, camera.status?.condition ?? "connecting");
    return [element, add];
  }
}

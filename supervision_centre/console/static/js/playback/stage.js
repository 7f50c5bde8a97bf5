/** The pictures side by side: which cameras were chosen, and which of them steps and stills follow. */

import { MOST_CAMERAS } from "../player/deck.js";
import { h, setText } from "../ui/dom.js";
import { clockTime, duration } from "../ui/format.js";
import { passingNotice } from "../ui/notices.js";
import { PlaybackTile } from "./tile.js";

const JUMP_SHOWN_MS = 4_000;

/** The stage of one playback. */
export class PlaybackStage {
  #on;
  #tiles = new Map();
  #active = "";
  #jumpTimer = 0;
  #grid = h("div", { class: "review", role: "group", "aria-label": "Images enregistrées" });
  #empty = h("p", { class: "review__empty note", text: "Choisissez une caméra dans la liste. Le signe + en ajoute d’autres, lues en même temps." });
  #jump = h("p", { class: "review__jump", role: "status", hidden: true });

  /**
   * @param {{add: (camera: any) => HTMLElement, remove: (id: string) => void, changed: (ids: string[]) => void,
   *   activated: () => void, go: (ms: number) => void}} on `add` gives the place of the picture
   */
  constructor(on) {
    this.#on = on;
    /** @type {HTMLElement} */
    this.element = h("div", { class: "review__place" }, this.#grid, this.#empty, this.#jump);
  }

  /** The cameras that were chosen. @returns {string[]} */
  get ids() {
    return [...this.#tiles.keys()];
  }

  /** The camera that steps and stills follow, or an empty text. @returns {string} */
  get active() {
    return this.#active;
  }

  /** The tiles, by camera. @returns {Map<string, PlaybackTile>} */
  get tiles() {
    return this.#tiles;
  }

  /** Show these cameras and no others. @param {any[]} cameras */
  choose(cameras) {
    const ids = cameras.map((camera) => camera.id);
    if (ids.join() === this.ids.join()) return;
    for (const id of this.ids.filter((one) => !ids.includes(one))) this.#take(id);
    for (const camera of cameras.filter((one) => !this.#tiles.has(one.id))) this.#put(camera);
    this.#arrange();
  }

  /** Take a camera in, or leave it. @param {any} camera */
  toggle(camera) {
    if (this.#tiles.has(camera.id)) this.#take(camera.id);
    else if (this.#tiles.size < MOST_CAMERAS) this.#put(camera);
    else {
      passingNotice(`Au plus ${MOST_CAMERAS} caméras à la fois\u00a0: retirez-en une d’abord.`);
      return;
    }
    this.#arrange();
  }

  /** Say something instead of pictures. @param {string} text */
  say(text) {
    setText(this.#empty, text);
  }

  /** Say that images are missing between two instants. @param {number} fromMs @param {number} toMs */
  jumped(fromMs, toMs) {
    const [first, last] = [Math.min(fromMs, toMs), Math.max(fromMs, toMs)];
    setText(this.#jump, `Images manquantes de ${clockTime(first)} à ${clockTime(last)} (${duration(last - first)})`);
    this.#jump.hidden = false;
    clearTimeout(this.#jumpTimer);
    this.#jumpTimer = window.setTimeout(() => (this.#jump.hidden = true), JUMP_SHOWN_MS);
  }

  #put(camera) {
    const tile = new PlaybackTile(camera, this.#on.add(camera), {
      activate: () => this.#activate(camera.id),
      remove: () => this.toggle(camera),
      go: this.#on.go,
    });
    this.#tiles.set(camera.id, tile);
    this.#grid.append(tile.element);
  }

  #take(id) {
    this.#tiles.get(id).element.remove();
    this.#tiles.delete(id);
    this.#on.remove(id);
  }

  #arrange() {
    const ids = this.ids;
    this.#empty.hidden = ids.length > 0;
    this.#grid.dataset.count = String(ids.length);
    ids.forEach((id, index) => this.#tiles.get(id).setNumber(ids.length > 1 ? index + 1 : 0));
    this.#activate(ids.includes(this.#active) ? this.#active : (ids[0] ?? ""));
    this.#on.changed(ids);
  }

  #activate(id) {
    this.#active = id;
    for (const [camera, tile] of this.#tiles) tile.setActive(camera === id && this.#tiles.size > 1);
    this.#on.activated();
  }
}

/** The arrangement of the tiles: the grid, the enlarged tile with the others in a strip, pages, and the keys. */

import { announce, fill, h, icon, setText } from "../ui/dom.js";
import { isTyping } from "../ui/keys.js";
import { layoutFor, LAYOUTS, neighbour } from "./layout.js";

const PAGE = LAYOUTS[LAYOUTS.length - 1].tiles;
const STRIP_ONE_COLUMN = 8;

/** The place of the tiles. */
export class Stage {
  #on;
  #cameras = [];
  #tiles = [];
  #page = 0;
  #active = 0;
  #enlarged = "";
  #layout = LAYOUTS[0];
  #grid = h("div", { class: "stage__grid", role: "group", "aria-label": "Images en direct" });
  #pager = h("div", { class: "pager", hidden: true });
  #pageText = h("span", { class: "figures" });

  /**
   * @param {{makeTile: (camera: any, on: any) => import("./tile.js").Tile, dropTile: (tile: any) => void,
   *   changed: (ids: string[], enlarged: string, largeTiles: boolean) => void, replay: (id: string) => void}} on
   */
  constructor(on) {
    this.#on = on;
    const turn = (label, drawing, step) =>
      h("button", { class: "button button--icon", type: "button", "aria-label": label, title: label,
        on: { click: () => this.turn(step) } }, icon(drawing));
    fill(this.#pager, turn("Images précédentes", "newer", -1), this.#pageText, turn("Images suivantes", "older", 1));
    /** @type {HTMLElement} */
    this.element = h("section", { class: "stage", on: { keydown: (event) => this.#key(event) } }, this.#grid);
    /** The control that turns the pages. @type {HTMLElement} */
    this.pager = this.#pager;
  }

  /** The enlarged camera, or an empty text. @returns {string} */
  get enlarged() {
    return this.#enlarged;
  }

  /** The tiles that are shown. @returns {import("./tile.js").Tile[]} */
  get tiles() {
    return this.#tiles;
  }

  /** Show these cameras; the page and the enlarged tile are kept when they still exist. @param {any[]} cameras */
  setCameras(cameras) {
    this.#cameras = cameras;
    if (!cameras.some((camera) => camera.id === this.#enlarged)) this.#enlarged = "";
    this.#page = Math.min(this.#page, this.#lastPage());
    this.#arrange();
  }

  /** Remove every tile. */
  clear() {
    this.setCameras([]);
  }

  /** Turn the page. @param {number} step */
  turn(step) {
    const page = Math.min(Math.max(this.#page + step, 0), this.#lastPage());
    if (page === this.#page) return;
    this.#page = page;
    this.#enlarged = "";
    this.#active = 0;
    this.#arrange();
  }

  /** Enlarge a camera, on whichever page it is. @param {string} id */
  enlarge(id) {
    const index = this.#cameras.findIndex((camera) => camera.id === id);
    if (index < 0) return;
    this.#enlarged = id;
    this.#page = Math.floor(index / PAGE);
    this.#active = index % PAGE;
    this.#arrange();
    this.#focus();
    announce(`${this.#cameras[index].name}, image agrandie. Échap pour revenir au mur.`);
  }

  /** Return to the wall. */
  reduce() {
    if (!this.#enlarged) return;
    this.#enlarged = "";
    this.#arrange();
    this.#focus();
    announce("Retour au mur.");
  }

  /** Fill the screen, or give it back. */
  toggleFullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.element.requestFullscreen?.().catch(() => {});
  }

  #lastPage() {
    return Math.max(0, Math.ceil(this.#cameras.length / PAGE) - 1);
  }

  #arrange() {
    const shown = this.#cameras.slice(this.#page * PAGE, (this.#page + 1) * PAGE);
    const kept = new Map(this.#tiles.map((tile) => [tile.cameraId, tile]));
    this.#tiles = shown.map((camera, index) => {
      const known = kept.get(camera.id);
      kept.delete(camera.id);
      return known ?? this.#on.makeTile(camera, { activate: () => this.#activate(camera.id), focused: () => (this.#active = this.#indexOf(camera.id, index)) });
    });
    for (const tile of kept.values()) this.#on.dropTile(tile);
    this.#layout = layoutFor(shown.length);
    this.#active = Math.min(this.#active, Math.max(0, this.#tiles.length - 1));
    this.#place();
    this.#pager.hidden = this.#lastPage() === 0;
    setText(this.#pageText, `Page ${this.#page + 1} sur ${this.#lastPage() + 1}`);
    this.#on.changed(shown.map((camera) => camera.id), this.#enlarged, this.#layout.tiles <= 4);
  }

  /** Moving a playing `<video>` in the document stops it, so tiles are only ever inserted in order, never moved. */
  #place() {
    const grid = this.#grid;
    this.#tiles.forEach((tile, index) => {
      if (grid.children[index] !== tile.element) grid.insertBefore(tile.element, grid.children[index] ?? null);
      tile.element.classList.toggle("tile--enlarged", tile.cameraId === this.#enlarged);
      tile.element.tabIndex = index === this.#active ? 0 : -1;
    });
    const others = Math.max(1, this.#tiles.length - 1);
    const columns = others > STRIP_ONE_COLUMN ? 2 : 1;
    grid.classList.toggle("stage__grid--enlarged", Boolean(this.#enlarged));
    grid.style.setProperty("--columns", String(this.#layout.columns));
    grid.style.setProperty("--rows", String(this.#layout.rows));
    grid.style.setProperty("--strip-columns", this.#tiles.length > 1 ? String(columns) : "0");
    grid.style.setProperty("--strip-rows", String(Math.max(4, Math.ceil(others / columns))));
    grid.dataset.layout = String(this.#layout.tiles);
  }

  #indexOf(id, fallback) {
    const index = this.#tiles.findIndex((tile) => tile.cameraId === id);
    return index < 0 ? fallback : index;
  }

  #activate(id) {
    if (this.#enlarged === id) this.reduce();
    else this.enlarge(id);
  }

  #focus() {
    this.#tiles.forEach((tile, index) => (tile.element.tabIndex = index === this.#active ? 0 : -1));
    this.#tiles[this.#active]?.element.focus({ preventScroll: true });
  }

  #key(event) {
    if (!isTyping(event) && this.handleKey(event.key)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  /**
   * Do what a key of the wall means.
   * @param {string} key
   * @returns {boolean} whether it means something
   */
  handleKey(key) {
    const id = this.#tiles[this.#active]?.cameraId;
    if (key.startsWith("Arrow") || key === "Home" || key === "End") this.#move(key);
    else if (key === "Enter" || key === " ") id && this.#activate(id);
    else if (key === "Escape" && this.#enlarged) this.reduce();
    else if (key === "f" || key === "F") this.toggleFullscreen();
    else if (key === "r" || key === "R") id && this.#on.replay(id);
    else if (key === "PageDown") this.turn(1);
    else if (key === "PageUp") this.turn(-1);
    else return false;
    return true;
  }

  #move(key) {
    const columns = this.#enlarged ? 1 : this.#layout.columns;
    this.#active = neighbour(this.#active, key, this.#tiles.length, columns);
    if (this.#enlarged && this.#tiles[this.#active]) this.enlarge(this.#tiles[this.#active].cameraId);
    else this.#focus();
  }
}

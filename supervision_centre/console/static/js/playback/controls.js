/** The buttons under the pictures: what they are called, and the keys that do the same. */

import { SPEEDS } from "../player/head.js";
import { h, icon } from "../ui/dom.js";

const speedText = (speed) => `${String(speed).replace(".", ",")}\u00a0×`;

/** What the head does, in words. @param {{playing: boolean, speed: number, direction: 1|-1}} head @returns {string} */
export function headText({ playing, speed, direction }) {
  if (!playing) return "Arrêt sur image";
  return `${direction > 0 ? "Avant" : "Arrière"} ${speedText(speed)}`;
}

/**
 * @typedef {object} ControlActions
 * @property {() => void} toggle
 * @property {(direction: 1|-1) => void} shuttle
 * @property {(direction: 1|-1) => void} step
 * @property {(seconds: number) => void} skip
 * @property {(speed: number) => void} speed
 * @property {(direction: 1|-1) => void} undo
 * @property {() => void} instant
 * @property {() => void} mark
 * @property {() => void} live
 * @property {(step: number) => void} zoom
 */

/** The row of controls. */
export class Controls {
  #playButton;
  #reverseButton;
  #backButton;
  #forthButton;
  #speedButtons;
  #buttons;
  #kept;

  /**
   * @param {ControlActions} on
   * @param {HTMLButtonElement|null} hold what keeps an extract, for those who may
   */
  constructor(on, hold) {
    const button = (label, key, drawing, run, { text = "", solid = false } = {}) =>
      h("button", { class: text ? "button" : "button button--icon", type: "button", title: `${label} (${key})`,
        "aria-label": label, disabled: true, on: { click: run } }, icon(drawing, solid), text);
    this.#reverseButton = button("Lire en arrière", "J", "reverse", () => on.shuttle(-1), { solid: true });
    this.#playButton = button("Lire", "Espace", "play", on.toggle, { solid: true });
    this.#playButton.classList.add("controls__play");
    this.#backButton = button("Revenir où j’étais", "Alt ←", "undo", () => on.undo(-1));
    this.#forthButton = button("Refaire le saut", "Alt →", "redo", () => on.undo(1));
    this.#buttons = [
      button("Reculer de 10 secondes", "Maj ←", "back10", () => on.skip(-10), { text: "10\u00a0s" }),
      button("Image précédente", "←", "previous", () => on.step(-1)),
      this.#reverseButton,
      this.#playButton,
      button("Image suivante", "→", "next", () => on.step(1)),
      button("Avancer de 10 secondes", "Maj →", "forth10", () => on.skip(10), { text: "10\u00a0s" }),
    ];
    this.#speedButtons = SPEEDS.map((speed) =>
      h("button", { class: "speed figures", type: "button", "aria-pressed": "false", text: speedText(speed),
        on: { click: () => on.speed(speed) } }),
    );
    const mark = button("Poser ou ôter un repère", "M", "marker", on.mark);
    this.#kept = hold ? [mark, hold] : [mark];
    const instant = button("Aller à un instant", "G", "instant", on.instant, { text: "Aller à…" });
    instant.disabled = false;
    /** @type {HTMLElement} */
    this.element = h(
      "div",
      { class: "controls", role: "group", "aria-label": "Lecture" },
      h("div", { class: "controls__group" }, this.#backButton, this.#forthButton),
      h("div", { class: "controls__group" }, this.#buttons),
      h("div", { class: "controls__group speeds", role: "group", "aria-label": "Vitesse" }, this.#speedButtons),
      h(
        "div",
        { class: "controls__group controls__group--end" },
        mark,
        hold,
        instant,
        h("button", { class: "button", type: "button", title: "Revenir au direct (D)", on: { click: on.live } }, icon("wall"), "Direct"),
      ),
    );
    /** How much of the time line is seen. @type {HTMLElement} */
    this.zoom = h(
      "div",
      { class: "controls__group zoom" },
      plain("Ligne de temps plus large", "minus", () => on.zoom(1)),
      plain("Ligne de temps plus détaillée", "plus", () => on.zoom(-1)),
    );
  }

  /**
   * Show what can be done, and what the head does.
   * @param {import("../player/head.js").Head} head
   * @param {{active: boolean, canGoBack: boolean, canGoForward: boolean}} may
   */
  update(head, { active, canGoBack, canGoForward }) {
    for (const button of [...this.#buttons, ...this.#kept]) set(button, "disabled", !active);
    set(this.#backButton, "disabled", !canGoBack);
    set(this.#forthButton, "disabled", !canGoForward);
    this.#reverseButton.setAttribute("aria-pressed", String(head.playing && head.direction < 0));
    const label = head.playing ? "Arrêter sur l’image" : "Lire";
    if (this.#playButton.getAttribute("aria-label") !== label) {
      this.#playButton.setAttribute("aria-label", label);
      this.#playButton.title = `${label} (Espace)`;
      this.#playButton.replaceChildren(icon(head.playing ? "pause" : "play", true));
    }
    this.#speedButtons.forEach((button, index) => {
      const pressed = String(SPEEDS[index] === head.speed);
      if (button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
    });
  }
}

const plain = (label, drawing, run) =>
  h("button", { class: "button button--icon", type: "button", title: label, "aria-label": label, on: { click: run } }, icon(drawing));

function set(element, property, value) {
  if (element[property] !== value) element[property] = value;
}

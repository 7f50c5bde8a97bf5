/** The buttons under the picture, and what they are called. */

import { h, icon, setText } from "../ui/dom.js";

/** The speeds that can be chosen. */
export const SPEEDS = [0.5, 1, 2, 4, 8];

const speedText = (speed) => `${String(speed).replace(".", ",")}\u00a0×`;

/** The row of controls. */
export class Controls {
  #on;
  #speed = 1;
  #playButton;
  #speedButtons;
  #buttons;

  /**
   * @param {{toggle: () => void, step: (direction: 1|-1) => void, skip: (seconds: number) => void,
   *   speed: (rate: number) => void, live: () => void, zoom: (step: number) => void}} on
   */
  constructor(on) {
    this.#on = on;
    const button = (label, key, drawing, run, text = "") =>
      h("button", { class: text ? "button" : "button button--icon", type: "button", title: `${label} (${key})`,
        "aria-label": label, disabled: true, on: { click: run } }, icon(drawing, drawing === "play" || drawing === "pause"), text);
    this.#playButton = button("Lire", "Espace", "play", on.toggle);
    this.#playButton.classList.add("controls__play");
    this.#buttons = [
      button("Image précédente", ",", "previous", () => on.step(-1)),
      this.#playButton,
      button("Image suivante", ";", "next", () => on.step(1)),
      button("Reculer de 10 secondes", "←", "back10", () => on.skip(-10), "10\u00a0s"),
    ];
    this.#speedButtons = SPEEDS.map((speed) =>
      h("button", { class: "speed figures", type: "button", "aria-pressed": String(speed === 1), text: speedText(speed),
        on: { click: () => this.setSpeed(speed) } }),
    );
    /** @type {HTMLElement} */
    this.element = h(
      "div",
      { class: "controls", role: "group", "aria-label": "Lecture" },
      h("div", { class: "controls__group" }, this.#buttons),
      h("div", { class: "controls__group speeds", role: "group", "aria-label": "Vitesse" }, this.#speedButtons),
      h(
        "div",
        { class: "controls__group controls__group--end" },
        h("button", { class: "button button--icon", type: "button", title: "Ligne de temps plus large", "aria-label": "Ligne de temps plus large",
          on: { click: () => on.zoom(1) } }, icon("minus")),
        h("button", { class: "button button--icon", type: "button", title: "Ligne de temps plus détaillée", "aria-label": "Ligne de temps plus détaillée",
          on: { click: () => on.zoom(-1) } }, icon("plus")),
        h("button", { class: "button", type: "button", title: "Revenir au direct (D)", on: { click: on.live } }, icon("wall"), "Direct"),
      ),
    );
  }

  /** Whether there are images to act on. @param {boolean} value */
  setEnabled(value) {
    for (const button of this.#buttons) button.disabled = !value;
  }

  /** @param {boolean} playing */
  setPlaying(playing) {
    const label = playing ? "Arrêter sur l’image" : "Lire";
    if (this.#playButton.getAttribute("aria-label") === label) return;
    this.#playButton.setAttribute("aria-label", label);
    this.#playButton.title = `${label} (Espace)`;
    this.#playButton.replaceChildren(icon(playing ? "pause" : "play", true));
  }

  /** The speed in force. @returns {number} */
  get speed() {
    return this.#speed;
  }

  /** @param {number} speed one of `SPEEDS` */
  setSpeed(speed) {
    this.#speed = speed;
    this.#speedButtons.forEach((button, index) => button.setAttribute("aria-pressed", String(SPEEDS[index] === speed)));
    this.#on.speed(speed);
  }

  /** The next speed up or down. @param {1|-1} direction */
  changeSpeed(direction) {
    const index = Math.min(Math.max(SPEEDS.indexOf(this.#speed) + direction, 0), SPEEDS.length - 1);
    this.setSpeed(SPEEDS[index]);
  }
}

/**
 * The clock over the picture: local time, and UTC when one points at it.
 * @returns {{element: HTMLElement, set: (local: string, day: string, utc: string) => void}}
 */
export function makeClock() {
  const hour = h("time", { class: "watch__hour figures", data: { clock: "playback" } });
  const day = h("span", { class: "watch__day" });
  const zone = h("span", { class: "watch__utc figures" });
  return {
    element: h("div", { class: "watch" }, day, hour, zone),
    set(local, date, utc) {
      setText(hour, local);
      setText(day, date);
      setText(zone, utc);
      hour.title = utc;
    },
  };
}

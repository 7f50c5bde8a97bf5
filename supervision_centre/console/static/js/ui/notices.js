/**
 * What the operator must know: lasting notices above the screen (network, journal, gateway), each under a key so that it
 * is told once and withdrawn when it is over, and passing ones at the foot, with an undo when there is something to undo.
 */

import { announce, h } from "./dom.js";

const UNDO_MS = 10_000;
const PASSING_MS = 6_000;

let place = null;
const lasting = new Map();

/** Where lasting notices stand. @param {HTMLElement} element */
export function placeNotices(element) {
  place = element;
  place.replaceChildren(...[...lasting.values()].map((notice) => notice.element));
}

/**
 * Show a lasting notice, or change its text.
 * @param {string} key
 * @param {string} text
 * @param {{caution?: boolean, action?: {label: string, run: () => void}}} [options]
 */
export function showNotice(key, text, { caution = false, action } = {}) {
  if (lasting.get(key)?.text === text) return;
  clearNotice(key);
  const element = h(
    "div",
    { class: caution ? "notice notice--caution" : "notice", role: "alert", data: { notice: key } },
    h("span", { text }),
    action && h("button", { class: "button", type: "button", on: { click: action.run }, text: action.label }),
  );
  lasting.set(key, { text, element });
  place?.append(element);
}

/** Withdraw a lasting notice. @param {string} key */
export function clearNotice(key) {
  lasting.get(key)?.element.remove();
  lasting.delete(key);
}

/** Withdraw them all, as after a logout. */
export function clearNotices() {
  for (const key of [...lasting.keys()]) clearNotice(key);
}

/**
 * Show a passing notice.
 * @param {string} text
 * @param {{undo?: () => void, fault?: boolean}} [options] `undo` offers « Annuler » while it is shown
 */
export function passingNotice(text, { undo, fault = false } = {}) {
  document.querySelector(".passing")?.remove();
  const element = h(
    "div",
    { class: fault ? "passing passing--fault" : "passing", role: fault ? "alert" : "status" },
    h("span", { text }),
    undo &&
      h("button", {
        class: "button",
        type: "button",
        text: "Annuler",
        on: {
          click: () => {
            element.remove();
            undo();
          },
        },
      }),
  );
  document.body.append(element);
  announce(text);
  setTimeout(() => element.remove(), undo ? UNDO_MS : PASSING_MS);
}

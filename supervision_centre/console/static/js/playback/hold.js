/** The way from what is looked at to its judicial hold (LAW-10). */

import { go } from "../router.js";
import { may } from "../session.js";
import { h, icon } from "../ui/dom.js";

const AROUND_MS = 300_000;

/**
 * A button that opens the form of a hold for the active camera: from the first marker to the last when there are two,
 * five minutes on each side of the picture otherwise.
 * @param {() => {camera: string, headMs: number, markersMs: number[]}} seen what is looked at now
 * @returns {HTMLElement|null} null for those who may not hold
 */
export function holdButton(seen) {
  if (!may("hold")) return null;
  const open = () => {
    const { camera, headMs, markersMs } = seen();
    const between = markersMs.length > 1;
    const fromMs = between ? Math.min(...markersMs) : headMs - AROUND_MS;
    const toMs = between ? Math.max(...markersMs) : headMs + AROUND_MS;
    go("conservations", { camera, from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() });
  };
  return h(
    "button",
    { class: "button", type: "button", disabled: true, on: { click: open }, "aria-label": "Conserver cet extrait",
      title: "Conserver cet extrait : du premier au dernier repère, ou cinq minutes de part et d’autre de l’image" },
    icon("hold"),
    h("span", { class: "controls__word", text: "Conserver…" }),
  );
}

/** The way from what is looked at to its judicial hold (LAW-10). */

import { go } from "../router.js";
import { may } from "../session.js";
import { h, icon } from "../ui/dom.js";
import { passingNotice } from "../ui/notices.js";

const AROUND_MS = 300_000;

/**
 * A button that opens the form of a hold for the active camera: from the first marker to the last when there are two,
 * five minutes on each side of the picture otherwise.
 * @param {() => {camera: string|null, headMs: number, markersMs: number[]}} seen what is looked at now
 * @returns {HTMLElement|null} null for those who may not hold
 */
export function holdButton(seen) {
  if (!may("hold")) return null;
  const open = () => {
    const { camera, headMs, markersMs } = seen();
    if (!camera) {
      passingNotice("Choisissez d’abord une caméra et un instant.");
      return;
    }
    const between = markersMs.length > 1;
    const fromMs = between ? Math.min(...markersMs) : headMs - AROUND_MS;
    const toMs = between ? Math.max(...markersMs) : headMs + AROUND_MS;
    go("conservations", { camera, from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() });
  };
  return h(
    "button",
    { class: "button playback__hold", type: "button", title: "Entre le premier et le dernier repère, ou cinq minutes de part et d’autre de l’image", on: { click: open } },
    icon("hold"),
    "Conserver cet extrait…",
  );
}

/** The choice of one camera in a form: its commune, then itself. */

import { fill, h } from "./dom.js";

const byName = (one, other) => one[1].localeCompare(other[1], "fr");
const options = (pairs) => pairs.map(([value, text]) => h("option", { value, text }));

/**
 * Two fields that name a camera.
 * @param {any[]} cameras as the API lists them
 * @param {string} [chosen] the identifier of the camera that is chosen already
 * @returns {HTMLElement} holds a required field named `camera`
 */
export function cameraFields(cameras, chosen = "") {
  const communes = [...new Map(cameras.map((one) => [one.commune, one.commune_name]))].sort(byName);
  const current = cameras.find((one) => one.id === chosen);
  const commune = h("select", { class: "input", name: "commune", on: { change: () => list("") } }, options(communes));
  const camera = h("select", { class: "input", name: "camera", required: true });
  commune.value = current?.commune ?? communes[0]?.[0] ?? "";
  list(chosen);
  return h(
    "div",
    { class: "pair" },
    h("label", { class: "field" }, h("span", { class: "field__label", text: "Commune" }), commune),
    h("label", { class: "field" }, h("span", { class: "field__label", text: "Caméra" }), camera),
  );

  function list(wanted) {
    const here = cameras.filter((one) => one.commune === commune.value).map((one) => [one.id, one.name]).sort(byName);
    fill(camera, options([["", "Choisir une caméra"], ...here]));
    camera.value = wanted;
  }
}

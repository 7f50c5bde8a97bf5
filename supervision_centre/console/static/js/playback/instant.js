/** The dialog that asks for an instant to go to. */

import { now } from "../session.js";
import { openDialog } from "../ui/dialog.js";
import { h } from "../ui/dom.js";
import { parseLocal, zoneOffset } from "../ui/format.js";

/**
 * Ask for an instant, in the time of Paris.
 * @param {number} ms the instant to begin with
 * @returns {Promise<number|null>} UTC milliseconds, null when the dialog was closed
 */
export function askInstant(ms) {
  const text = (at) => new Date(at + zoneOffset(at)).toISOString().slice(0, 19);
  const field = h("input", {
    class: "input", type: "datetime-local", name: "instant", step: "1", required: true, value: text(ms), max: text(now()),
    autofocus: true,
  });
  return openDialog({
    title: "Aller à un instant",
    body: [
      h("label", { class: "field" }, h("span", { class: "field__label", text: "Jour et heure (heure de Paris)" }), field),
      h("p", { class: "note", text: "Si rien n’est enregistré à cet instant, la console le dit et propose les images les plus proches." }),
    ],
    actions: [
      { label: "Annuler", value: null },
      { label: "Y aller", kind: "primary", submit: true },
    ],
    read: (form) => parseLocal(form.elements.instant.value),
  });
}

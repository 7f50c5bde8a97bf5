/** The choice of the purpose: no image before it (LAW-04, LAW-27). */

import { currentPerson, purpose, setPurpose } from "../session.js";
import { h } from "./dom.js";
import { openDialog } from "./dialog.js";

const MAX_NOTE_CHARS = 200;

/**
 * Ask for the purpose of the session.
 * @param {{change?: boolean}} [options] `change` when one is already in force
 * @returns {Promise<boolean>} whether a purpose is in force
 */
export async function askPurpose({ change = false } = {}) {
  const answer = await openDialog({
    title: change ? "Changer la finalité" : "Pour quelle finalité regardez-vous ces images\u202f?",
    wide: true,
    body: [
      h("p", {
        class: "note",
        text: "Chaque consultation est inscrite au journal des accès avec votre nom, l’heure et cette finalité.",
      }),
      purposeField(purpose()?.code),
    ],
    actions: [
      { label: "Annuler", value: null },
      { label: change ? "Changer" : "Voir les images", kind: "primary", submit: true },
    ],
    read: (form) => form.elements.purpose.value,
  });
  if (answer) setPurpose(answer);
  return purpose() !== null;
}

/**
 * Ask for the purpose and the note of one playback, of one camera or of several.
 * @param {{cameras: string[], range: string}} about
 * @returns {Promise<{code: string, note: string}|null>}
 */
export function askPlaybackReason({ cameras, range }) {
  const chosen = purpose()?.code;
  return openDialog({
    title: "Consulter des images enregistrées",
    wide: true,
    body: [
      h(
        "dl",
        { class: "facts" },
        h("dt", { text: cameras.length > 1 ? "Caméras" : "Caméra" }),
        h("dd", {}, cameras.map((camera) => h("div", { text: camera }))),
        h("dt", { text: "Images" }),
        h("dd", { class: "figures", text: range }),
      ),
      purposeField(chosen),
      h(
        "label",
        { class: "field" },
        h("span", { class: "field__label", text: "Précision (facultative, sans les faits d’une affaire ni le nom d’une personne filmée)" }),
        h("textarea", { class: "input", name: "note", maxLength: MAX_NOTE_CHARS, rows: 2 }),
      ),
    ],
    actions: [
      { label: "Annuler", value: null },
      { label: "Consulter", kind: "primary", submit: true },
    ],
    read: (form) => ({ code: form.elements.purpose.value, note: form.elements.note.value.trim() }),
  });
}

function purposeField(chosen) {
  const purposes = currentPerson()?.purposes ?? [];
  return h(
    "fieldset",
    { class: "choices" },
    h("legend", { class: "field__label", text: "Finalité" }),
    purposes.map((one, index) =>
      h(
        "label",
        { class: "choice" },
        h("input", {
          type: "radio",
          name: "purpose",
          value: one.code,
          required: true,
          checked: one.code === chosen,
          autofocus: chosen ? one.code === chosen : index === 0,
        }),
        h("span", { text: one.label }),
      ),
    ),
  );
}

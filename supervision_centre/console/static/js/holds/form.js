/** The form of a hold: images, requisition, end (LAW-10). */

import { now } from "../session.js";
import { cameraFields } from "../ui/cameras.js";
import { openDialog } from "../ui/dialog.js";
import { h } from "../ui/dom.js";
import { parseLocal, zoneOffset } from "../ui/format.js";

const DAY_MS = 86_400_000;
const LONGEST_DAYS = 365;
const MAX_REFERENCE_CHARS = 120;
const MAX_REASON_CHARS = 200;

const localSeconds = (ms) => new Date(ms + zoneOffset(ms)).toISOString().slice(0, 19);
const localDay = (ms) => localSeconds(ms).slice(0, 10);
const instant = (text) => new Date(parseLocal(text) ?? 0).toISOString();
const field = (label, control) => h("label", { class: "field" }, h("span", { class: "field__label", text: label }), control);

/**
 * Ask for a hold.
 * @param {{cameras: any[], bases: Array<{code: string, label: string, article: string}>, filled?: Record<string, string>,
 *   problem?: string}} about `filled` are values typed before, `problem` why the centre refused them
 * @returns {Promise<Record<string, string>|null>} the body of the request, its values as typed under `filled`
 */
export function askHold({ cameras, bases, filled = {}, problem = "" }) {
  const soon = now();
  const input = (name, props) => h("input", { class: "input", name, required: true, value: filled[name] ?? "", ...props });
  const start = input("from", { type: "datetime-local", step: "1" });
  const end = input("to", { type: "datetime-local", step: "1" });
  const checkOrder = () => end.setCustomValidity(start.value && end.value && end.value <= start.value ? "La fin doit suivre le début." : "");
  for (const control of [start, end]) control.addEventListener("input", checkOrder);
  const basis = h(
    "select",
    { class: "input", name: "basis", required: true },
    h("option", { value: "", text: "Choisir le cadre de l’enquête" }),
    bases.map((one) => h("option", { value: one.code, text: `${one.label} (${one.article})` })),
  );
  basis.value = filled.basis ?? "";
  return openDialog({
    title: "Conserver des images",
    wide: true,
    body: [
      problem && h("p", { class: "alert", role: "alert", text: problem }),
      h("p", {
        class: "note",
        text: "Seule une réquisition judiciaire permet de garder des images au-delà de leur durée. L’acte est inscrit au journal avec votre nom.",
      }),
      cameraFields(cameras, filled.camera),
      h("div", { class: "pair" }, field("Début des images", start), field("Fin des images", end)),
      h(
        "div",
        { class: "pair" },
        field("Référence de la réquisition", input("reference", { maxLength: MAX_REFERENCE_CHARS, placeholder: "15127/00324/2026", autocomplete: "off" })),
        field("Autorité qui la signe", input("authority", { maxLength: MAX_REFERENCE_CHARS, placeholder: "Qualité, nom, service", autocomplete: "off" })),
      ),
      h(
        "div",
        { class: "pair" },
        field("Fondement", basis),
        field("Conserver jusqu’au (inclus)", input("expires", { type: "date", min: localDay(soon), max: localDay(soon + LONGEST_DAYS * DAY_MS) })),
      ),
      field(
        "Précision (facultative, sans les faits ni le nom d’une personne)",
        h("textarea", { class: "input", name: "reason", maxLength: MAX_REASON_CHARS, rows: 2, value: filled.reason ?? "" }),
      ),
    ],
    actions: [
      { label: "Annuler", value: null },
      { label: "Conserver ces images", kind: "primary", submit: true },
    ],
    read: (form) => Object.fromEntries([...new FormData(form)].filter(([name]) => name !== "commune")),
  });
}

/**
 * The typed values as the API takes them.
 * @param {Record<string, string>} typed
 * @returns {Record<string, string>}
 */
export const holdRequest = (typed) => ({
  ...typed,
  from: instant(typed.from),
  to: instant(typed.to),
  expires: instant(`${typed.expires}T23:59:59`),
});

/**
 * The values of a form for a camera and a range, as the playback gives them.
 * @param {URLSearchParams} parameters `camera`, `from` and `to` (RFC 3339)
 * @returns {Record<string, string>}
 */
export function filledFrom(parameters) {
  const filled = { camera: parameters.get("camera") ?? "" };
  for (const name of ["from", "to"]) {
    const ms = Date.parse(parameters.get(name) ?? "");
    if (!Number.isNaN(ms)) filled[name] = localSeconds(ms);
  }
  return filled;
}

/**
 * Ask why a hold should end before its term.
 * @param {any} hold
 * @returns {Promise<string|null>} the reason
 */
export function askReleaseReason(hold) {
  return openDialog({
    title: "Demander la levée de la conservation\u202f?",
    body: [
      h("p", { text: `${hold.camera_name}, réquisition ${hold.reference}. Une autre personne habilitée devra la confirmer\u00a0; d’ici là, les images restent conservées.` }),
      field("Motif de la levée", h("textarea", { class: "input", name: "reason", required: true, maxLength: MAX_REASON_CHARS, rows: 2, autofocus: true })),
    ],
    actions: [
      { label: "Annuler", value: null },
      { label: "Demander la levée", kind: "primary", submit: true },
    ],
    read: (form) => form.elements.reason.value.trim(),
  });
}

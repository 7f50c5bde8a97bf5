/** One entry of the journal: its row, its details, its proof. */

import { get } from "../api.js";
import { openDrawer } from "../ui/dialog.js";
import { h, icon } from "../ui/dom.js";
import { clockTime, dateTime, duration, number, utcTime } from "../ui/format.js";
import { passingNotice } from "../ui/notices.js";
import { save } from "./files.js";

const LEAF_SHOWN = 12;
const DETAILS = {
  account: "Compte", address: "Adresse", asked_by_name: "Demandé par", authorisation: "Autorisation", basis: "Fondement",
  bytes: "Octets", cause: "Cause", day: "Jour", digest: "Empreinte", expires: "Terme", field: "Champ modifié",
  hardware: "Matériel", hold: "Conservation", month: "Mois", requisition: "Réquisition cherchée", role: "Rôle du compte", search: "Recherche",
  seconds: "Durée (s)", segments: "Segments", session: "Session", signatory: "Signataire", streams: "Flux",
};

/** The name of who acted. @param {any} entry @returns {string} */
export const personName = (entry) => (typeof entry.person === "string" ? entry.person : (entry.person?.name ?? ""));

const roleLabel = (entry) => entry.role_label ?? entry.person?.role_label ?? entry.role ?? "";

function rangeText(range) {
  if (!range) return "";
  const start = Date.parse(range.start ?? range.from);
  const end = Date.parse(range.end ?? range.to);
  return `${dateTime(start)} à ${clockTime(end)} (${duration(end - start)})`;
}

/**
 * The row of an entry.
 * @param {any} entry
 * @returns {HTMLTableRowElement}
 */
export function entryRow(entry) {
  const atMs = Date.parse(entry.at);
  const open = () => showEntry(entry);
  const expired = entry.kind === "expired";
  return h(
    "tr",
    { class: expired ? "row row--expired" : "row", data: { entry: String(entry.index) }, on: { click: open } },
    h("td", { class: "figures cell--end", text: number(entry.index) }),
    h("td", { class: "figures cell--nowrap" }, h("time", { dateTime: entry.at, title: utcTime(atMs), text: dateTime(atMs) })),
    h("td", {}, h("span", { class: "cell__main", text: personName(entry) }), h("span", { class: "cell__more", text: roleLabel(entry) })),
    h(
      "td",
      {},
      h("span", { class: `cell__main operation operation--${entry.operation}`, text: entry.kind_label ?? entry.kind }),
      h("span", { class: "cell__more", text: entry.operation_label ?? entry.operation }),
    ),
    h("td", {}, h("span", { class: "cell__main", text: entry.camera_name ?? "" }), h("span", { class: "cell__more", text: entry.commune_name ?? "" })),
    h("td", { class: "cell--reason" }, h("span", { class: "cell__main", text: entry.reason_label ?? entry.reason ?? "" }), [entry.note, entry.requisition && `Réquisition ${entry.requisition}`].map((text) => text && h("span", { class: "cell__more", text }))),
    h(
      "td",
      { class: "cell--nowrap" },
      h("button", {
        class: "leaf figures", type: "button", title: `Empreinte ${entry.leaf}`,
        "aria-label": `Détails de l’entrée ${entry.index}`,
        on: {
          click: (event) => {
            event.stopPropagation();
            open();
          },
        },
        text: String(entry.leaf ?? "").slice(0, LEAF_SHOWN),
      }),
      proofButton(entry, false),
    ),
  );
}

function proofButton(entry, labelled) {
  return h(
    "button",
    {
      class: labelled ? "button button--primary" : "button button--quiet button--icon", type: "button",
      title: "Télécharger la preuve", "aria-label": `Télécharger la preuve de l’entrée ${entry.index}`,
      on: {
        click: (event) => {
          event.stopPropagation();
          downloadProof(entry.index);
        },
      },
    },
    icon("download"),
    labelled && "Télécharger la preuve",
  );
}

/**
 * Give the proof of an entry as a file.
 * @param {number} index
 */
export async function downloadProof(index) {
  try {
    const proof = await get(`/api/audit/entries/${index}/proof`);
    save(new Blob([JSON.stringify(proof, null, 2)], { type: "application/json" }), `preuve-journal-${index}.json`);
    passingNotice(`Preuve de l’entrée n°\u00a0${number(index)} téléchargée.`);
  } catch (error) {
    passingNotice(error.text ?? "La preuve n’a pas pu être téléchargée.", { fault: true });
  }
}

function showEntry(entry) {
  const atMs = Date.parse(entry.at);
  const facts = [
    ["Date et heure", dateTime(atMs)],
    ["Heure UTC", utcTime(atMs)],
    ["Personne", personName(entry)],
    ["Rôle", roleLabel(entry)],
    ["Opération", entry.operation_label ?? entry.operation],
    ["Acte", entry.kind_label ?? entry.kind],
    ["Caméra", entry.camera_name ?? entry.camera],
    ["Commune", entry.commune_name ?? entry.commune],
    ["Autorité", entry.authority],
    ["Images", rangeText(entry.range)],
    ["Finalité", entry.reason_label ?? entry.reason],
    ["Précision", entry.note],
    ["Réquisition", entry.requisition],
    ["Destinataires", (entry.recipients ?? []).join(", ")],
    ...Object.entries(entry.details ?? {}).map(([name, value]) => [DETAILS[name] ?? name, value]),
  ].filter(([, value]) => value);
  openDrawer(`Entrée n°\u00a0${number(entry.index)}`, [
    entry.kind === "expired" && h("p", { class: "alert alert--caution", text: "Le contenu de cette inscription est effacé : elle a atteint son terme légal. Son numéro, sa date et son empreinte demeurent, et se vérifient." }),
    h("dl", { class: "facts facts--column" }, facts.map(([name, value]) => [h("dt", { text: name }), h("dd", { class: "figures", text: value })])),
    h(
      "section",
      { class: "proof" },
      h("h3", { class: "proof__title" }, icon("proof"), "Preuve"),
      h("p", { class: "note", text: "L’empreinte de cette entrée est scellée dans le journal. Le fichier de preuve se vérifie hors ligne, sans faire confiance au centre." }),
      h("p", { class: "proof__leaf figures", text: entry.leaf }),
      proofButton(entry, true),
    ),
  ]);
}

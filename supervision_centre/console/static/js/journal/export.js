/** The export of a period and a controller, for an inspection: CSV or PDF/A, with what verifies it (LAW-31). */

import { get } from "../api.js";
import { currentPerson, now } from "../session.js";
import { openDialog } from "../ui/dialog.js";
import { h } from "../ui/dom.js";
import { parseLocal, plural, zoneOffset } from "../ui/format.js";
import { passingNotice } from "../ui/notices.js";
import { takeAway } from "./files.js";

const DAY_MS = 86_400_000;
const localDay = (ms) => new Date(ms + zoneOffset(ms)).toISOString().slice(0, 10);
const field = (label, control) => h("label", { class: "field" }, h("span", { class: "field__label", text: label }), control);
const choice = (name, pairs, all) =>
  h("select", { class: "input", name }, h("option", { value: "", text: all }), pairs.map(([value, text]) => h("option", { value, text })));

/**
 * Ask for a period, a controller and a form, then fetch the archive.
 * @param {Record<string, string>} [typed]
 * @param {string} [problem] why the centre refused
 */
export async function askExport(typed = {}, problem = "") {
  const me = currentPerson();
  const communes = [...(me.communes ?? [])].sort((one, other) => one.name.localeCompare(other.name, "fr"));
  const authorities = me.authorities ?? [];
  const day = (name, fallback) => h("input", { class: "input", type: "date", name, required: true, max: localDay(now()), value: typed[name] ?? fallback });
  const [from, to] = [day("from", localDay(now() - 90 * DAY_MS)), day("to", localDay(now()))];
  const check = () => to.setCustomValidity(from.value && to.value && to.value < from.value ? "La fin doit suivre le début." : "");
  for (const control of [from, to]) control.addEventListener("input", check);
  const commune = choice("commune", communes.map((one) => [one.code, one.name]), "Toutes les communes");
  const authority = choice("authority", authorities.map((one) => [one, one]), "Toutes les autorités");
  commune.value = typed.commune ?? "";
  authority.value = typed.authority ?? "";
  const wanted = await openDialog({
    title: "Exporter le journal",
    wide: true,
    body: [
      problem && h("p", { class: "alert", role: "alert", text: problem }),
      h("p", { class: "note", text: "Une archive ZIP avec les inscriptions, le point de contrôle signé du journal et une attestation. L’export est lui-même inscrit au journal." }),
      h("div", { class: "pair" }, field("Du (inclus)", from), field("Au (inclus)", to)),
      communes.length > 1 && h("div", { class: "pair" }, field("Commune", commune), field("Responsable de traitement", authority)),
      h("fieldset", { class: "choices" }, h("legend", { class: "field__label", text: "Format" }), form("csv", "CSV, pour un tableur", typed.format !== "pdf"), form("pdf", "PDF/A, à conserver ou imprimer", typed.format === "pdf")),
    ],
    actions: [
      { label: "Annuler", value: null },
      { label: "Exporter", kind: "primary", submit: true },
    ],
    read: (filled) => Object.fromEntries(new FormData(filled)),
  });
  if (!wanted) return;
  const failed = await fetchExport(wanted);
  if (failed) await askExport(wanted, failed);
}

const form = (value, text, checked) =>
  h("label", { class: "choice" }, h("input", { type: "radio", name: "format", value, checked }), h("span", { text }));

function fetchExport(wanted) {
  const id = crypto.randomUUID();
  return takeAway({
    title: "Export du journal",
    path: "/api/audit/export",
    query: {
      from: new Date(parseLocal(`${wanted.from}T00:00`) ?? 0).toISOString(),
      to: new Date(endOf(wanted.to)).toISOString(),
      commune: wanted.commune, authority: wanted.authority, format: wanted.format, id,
    },
    saved: "Le journal est exporté. L’archive dit comment le vérifier.",
    progress: async () => {
      const { state, share, entries } = await get(`/api/audit/export/${id}`);
      return { share: state === "running" ? share : null, text: state === "running" ? plural(entries, "inscription lue", "inscriptions lues") : "Préparation…" };
    },
  });
}

/** Ask for the form of settings and lists, then fetch them (LAW-31). */
export async function askInventory() {
  const format = await openDialog({
    title: "Réglages et listes",
    body: h("p", { text: "Réglages du centre, droits de chaque rôle, personnes habilitées, caméras et durées de conservation. La lecture est inscrite au journal." }),
    actions: [
      { label: "Annuler", value: null },
      { label: "CSV", value: "csv" },
      { label: "PDF/A", value: "pdf", kind: "primary" },
    ],
  });
  if (!format) return;
  const failed = await takeAway({ title: "Réglages et listes", path: "/api/audit/inventory", query: { format }, saved: "Les réglages et les listes sont enregistrés." });
  if (failed) passingNotice(failed, { fault: true });
}

/** The midnight after a day. */
function endOf(day) {
  const next = new Date(Date.parse(`${day}T00:00Z`) + DAY_MS).toISOString().slice(0, 10);
  return parseLocal(`${next}T00:00`) ?? 0;
}

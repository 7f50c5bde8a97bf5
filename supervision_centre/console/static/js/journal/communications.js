/** The export journal of the arrêté: each communication of images, with its five items (LAW-42). */

import { get } from "../api.js";
import { now } from "../session.js";
import { fill, h, icon } from "../ui/dom.js";
import { clockTime, dateTime, duration, number } from "../ui/format.js";
import { passingNotice } from "../ui/notices.js";
import { downloadProof } from "./entry.js";
import { takeAway } from "./files.js";

const DAY_MS = 86_400_000;
const COLUMNS = ["Exporté le", "Images", "Durée", "Caméra", "Personne", "Remis à", "Preuve"];
const PERIODS = [["30", "30 derniers jours"], ["92", "3 derniers mois"], ["366", "12 derniers mois"], ["1096", "3 dernières années"]];

/**
 * Show the export journal.
 * @param {HTMLElement} place
 * @returns {import("../router.js").Mounted}
 */
export function mountCommunications(place) {
  const period = h("select", { class: "input", name: "period", on: { change: load } }, PERIODS.map(([value, text]) => h("option", { value, text })));
  const rows = h("tbody", {});
  const table = h(
    "table",
    { class: "table", "aria-label": "Exports d’images", hidden: true },
    h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col", text: name })))),
    rows,
  );
  const empty = h("div", { class: "empty", hidden: true });
  const scroller = h("div", { class: "table-scroll" }, table, empty);
  let asked = 0;
  let stopped = false;
  period.value = "92";
  fill(
    place,
    h(
      "div",
      { class: "filters filters--acts" },
      h("label", { class: "field" }, h("span", { class: "field__label", text: "Période" }), period),
      h("div", {}, h("button", { class: "button", type: "button", on: { click: print } }, icon("download"), "Journal des exports (PDF)")),
    ),
    scroller,
  );
  load();

  const query = () => ({ from: new Date(now() - Number(period.value) * DAY_MS).toISOString(), to: new Date(now() + 1000).toISOString() });

  async function load() {
    const mine = (asked += 1);
    scroller.setAttribute("aria-busy", "true");
    try {
      const { communications } = await get("/api/audit/communications", query());
      if (mine === asked && !stopped) show(communications);
    } catch (error) {
      if (mine === asked && !stopped && error.status !== 401) show([], error.text);
    } finally {
      if (mine === asked) scroller.removeAttribute("aria-busy");
    }
  }

  function show(lines, problem = "") {
    fill(rows, lines.map(line));
    table.hidden = lines.length === 0;
    empty.hidden = lines.length > 0;
    fill(
      empty,
      h("p", { text: problem || "Aucune image n’a été exportée ni communiquée pendant cette période." }),
      problem
        ? h("button", { class: "button", type: "button", text: "Réessayer", on: { click: load } })
        : h("p", { class: "note", text: "Chaque export aura ici sa ligne\u00a0: dates des images, durée, caméra, date de l’export, personne." }),
    );
  }

  async function print() {
    const failed = await takeAway({ title: "Journal des exports", path: "/api/audit/communications", query: { ...query(), format: "pdf" }, saved: "Le journal des exports est enregistré." });
    if (failed) passingNotice(failed, { fault: true });
  }

  return {
    unmount() {
      stopped = true;
    },
  };
}

function line(one) {
  const proof = h(
    "button",
    { class: "button button--quiet button--icon", type: "button", title: "Télécharger la preuve", "aria-label": `Télécharger la preuve de l’entrée ${one.index}`, on: { click: () => downloadProof(one.index) } },
    icon("download"),
  );
  const cell = (main, more = "") => h("td", {}, h("span", { class: "cell__main", text: main }), more && h("span", { class: "cell__more", text: more }));
  if (one.expired) {
    return h("tr", {}, cell(dateTime(Date.parse(one.at))), h("td", { colSpan: 5, class: "cell__more", text: "Contenu effacé à son terme légal." }), h("td", {}, proof));
  }
  const [start, end] = [Date.parse(one.range?.start ?? ""), Date.parse(one.range?.end ?? "")];
  return h(
    "tr",
    {},
    cell(dateTime(Date.parse(one.at)), `n°\u00a0${number(one.index)}`),
    cell(one.range ? `${dateTime(start)} à ${clockTime(end)}` : "—"),
    cell(one.range ? duration(end - start) : "—"),
    cell(one.camera_name, one.commune_name),
    cell(one.person, one.role_label),
    cell(one.recipients.join(", "), one.requisition ? `Réquisition ${one.requisition}` : ""),
    h("td", {}, proof),
  );
}

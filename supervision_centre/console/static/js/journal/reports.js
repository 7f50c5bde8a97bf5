/** Monthly reports of a commune: issue one, and the list of those that were issued (LAW-18). */

import { get } from "../api.js";
import { currentPerson, now } from "../session.js";
import { fill, h, icon } from "../ui/dom.js";
import { dateTime, number, zoneOffset } from "../ui/format.js";
import { downloadProof } from "./entry.js";
import { takeAway } from "./files.js";

const MONTHS_OFFERED = 36;
const COLUMNS = ["Mois", "Commune", "Établi le", "Pour", "Empreinte SHA-256 des données", "Inscription"];
const monthName = new Intl.DateTimeFormat("fr-FR", { month: "long", year: "numeric", timeZone: "UTC" });

/**
 * Show the reports.
 * @param {HTMLElement} place
 * @returns {import("../router.js").Mounted}
 */
export function mountReports(place) {
  const communes = [...(currentPerson().communes ?? [])].sort((one, other) => one.name.localeCompare(other.name, "fr"));
  const commune = h("select", { class: "input", name: "commune" }, communes.map((one) => h("option", { value: one.code, text: one.name })));
  const month = h("select", { class: "input", name: "month" }, pastMonths().map(([value, text]) => h("option", { value, text })));
  const rows = h("tbody", {});
  const table = h(
    "table",
    { class: "table", "aria-label": "Rapports établis", hidden: true },
    h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col", text: name })))),
    rows,
  );
  const empty = h("div", { class: "empty", hidden: true });
  const problem = h("div", { class: "alert", role: "alert", hidden: true });
  const scroller = h("div", { class: "table-scroll" }, table, empty);
  let stopped = false;
  fill(
    place,
    h(
      "form",
      { class: "filters filters--acts", "aria-label": "Établir un rapport", on: { submit: (event) => issue(event, "pdf") } },
      h("label", { class: "field" }, h("span", { class: "field__label", text: "Commune" }), commune),
      h("label", { class: "field" }, h("span", { class: "field__label", text: "Mois" }), month),
      h("button", { class: "button button--primary", type: "submit", disabled: communes.length === 0 }, icon("proof"), "Établir le rapport (PDF)"),
      h("button", { class: "button", type: "button", disabled: communes.length === 0, on: { click: (event) => issue(event, "json") } }, icon("download"), "Données et preuve (JSON)"),
    ),
    h("p", { class: "note", text: "Qui a regardé quoi et pourquoi, interruptions, exports, effacements, disponibilité. L’empreinte du rapport est inscrite au journal, qui la signe." }),
    problem,
    scroller,
  );
  load();

  async function issue(event, format) {
    event.preventDefault();
    problem.hidden = true;
    const failed = await takeAway({
      title: "Rapport mensuel",
      path: `/api/audit/reports/${commune.value}/${month.value}`,
      query: { format },
      saved: "Le rapport est établi, inscrit au journal et enregistré.",
    });
    if (stopped) return;
    problem.hidden = !failed;
    problem.textContent = failed;
    if (!failed) load();
  }

  async function load() {
    scroller.setAttribute("aria-busy", "true");
    try {
      const { reports } = await get("/api/audit/reports");
      if (!stopped) show(reports);
    } catch (error) {
      if (!stopped && error.status !== 401) show([], error.text);
    } finally {
      scroller.removeAttribute("aria-busy");
    }
  }

  function show(reports, fault = "") {
    fill(rows, reports.map(reportRow));
    table.hidden = reports.length === 0;
    empty.hidden = reports.length > 0;
    fill(
      empty,
      h("p", { text: fault || "Aucun rapport n’a encore été établi." }),
      fault && h("button", { class: "button", type: "button", text: "Réessayer", on: { click: load } }),
    );
  }

  return {
    unmount() {
      stopped = true;
    },
  };
}

function reportRow(report) {
  return h(
    "tr",
    {},
    h("td", { class: "cell--nowrap", text: nameOf(report.month) }),
    h("td", { text: report.commune_name }),
    h("td", { class: "figures cell--nowrap", text: dateTime(Date.parse(report.at)) }),
    h("td", { text: report.person }),
    h("td", { class: "digest", text: report.sha256 }),
    h(
      "td",
      { class: "cell--nowrap" },
      h("span", { class: "figures", text: `n°\u00a0${number(report.index)}` }),
      h("button", {
        class: "button button--quiet button--icon", type: "button", title: "Télécharger la preuve",
        "aria-label": `Télécharger la preuve de l’entrée ${report.index}`,
        on: {
          click: () => downloadProof(report.index),
        },
      }, icon("download")),
    ),
  );
}

const nameOf = (month) => monthName.format(Date.parse(`${month}-01T00:00Z`));

/** The months that are over, newest first, by the calendar of Europe/Paris. */
function pastMonths() {
  const local = new Date(now() + zoneOffset(now()));
  return Array.from({ length: MONTHS_OFFERED }, (_, back) => {
    const first = new Date(Date.UTC(local.getUTCFullYear(), local.getUTCMonth() - 1 - back, 1));
    const value = first.toISOString().slice(0, 7);
    return [value, nameOf(value)];
  });
}
